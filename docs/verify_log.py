"""Check a signoff evidence file with Python alone: python3 verify_log.py FILE.zip log.pub (see docs/verify.md)."""
import base64, hashlib, json, pathlib, sys, zipfile
P, Q, b64 = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493, base64.b64decode
D = -121665 * pow(121666, -1, P) % P  # P, Q and D are those of Ed25519, RFC 8032 section 5.1
def sha256(raw): return hashlib.sha256(raw).digest()
def check(holds, what): return holds or sys.exit(f"DOES NOT HOLD: {what}")
def point(raw):
    y = int.from_bytes(raw, "little") % 2**255
    r = pow((u := y * y - 1) * pow(v := D * y * y + 1, -1, P), (P + 3) // 8, P)
    found = [x for x in (r, P - r, r * pow(2, P // 4, P) % P, -r * pow(2, P // 4, P) % P) if (v * x * x - u) % P == 0]
    found = check([x for x in found if x & 1 == raw[31] >> 7], "a key or a signature is no point of the curve")
    return found[0], y, 1, found[0] * y % P
def add(a, b):
    m, n, c, d = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0]), 2 * D * a[3] * b[3], 2 * a[2] * b[2]
    return (n - m) * (d - c) % P, (d + c) * (n + m) % P, (d - c) * (d + c) % P, (n - m) * (n + m) % P
def times(n, a):
    return add(times(n // 2, add(a, a)), a if n & 1 else (0, 1, 1, 0)) if n else (0, 1, 1, 0)
def signed(key, text, mark):
    h, s = hashlib.sha512(mark[:32] + key + text).digest(), int.from_bytes(mark[32:], "little")
    a = times(s, point((4 * pow(5, -1, P) % P).to_bytes(32, "little")))
    b = add(point(mark[:32]), times(int.from_bytes(h, "little") % Q, point(key)))
    return s < Q and (a[0] * b[2] - b[0] * a[2]) % P == (a[1] * b[2] - b[1] * a[2]) % P == 0
def root(leaves):  # of a whole tree, RFC 6962 section 2.1
    half = 1 << (len(leaves) - 1).bit_length() - 1 if len(leaves) > 1 else 0
    return sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])) if half else (*leaves, sha256(b""))[0]
def climb(leaf, index, size, path):  # to the root, from one leaf upwards as a proof says
    if size == 1 or not path: return leaf if size == 1 and not path else b""
    half = 1 << (size - 1).bit_length() - 1
    inner = climb(leaf, index % half, half if index < half else size - half, path[:-1])
    return sha256(b"\1" + inner + path[-1] if index < half else b"\1" + path[-1] + inner)

file, keys = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text().split()
inside, about, note = set(file.namelist()), json.loads(file.read("evidence.json")), file.read("checkpoint.txt").decode()
(log, size, top), text = note.split("\n")[:3], note.rpartition("\n\n")[0].encode() + b"\n"
marks = [b64(line.split(" ")[-1])[4:] for line in note.split("\n") if line[:1] == "\u2014"]
known = [b64(key.split("+", 2)[2])[1:] for key in keys if key.split("+")[0] == log]
check(any(signed(key, text, mark) for key in known for mark in marks), "this key did not sign the checkpoint")
leaves, absent, last, at, size = [], [], -1, "", int(size)
for raw in file.read("events.jsonl").split(b"\n")[:-1]:
    event, leaf = json.loads(raw), sha256(b"\0" + raw)
    seq, this, data = event["seq"], f"event {event['seq']}", event["data"]
    check(seq == last + 1 if about["scope"] == "log" else seq > last, f"event {last + 1} is missing or out of place")
    check(json.dumps(event, sort_keys=True, separators=(",", ":")).encode() == raw, f"{this} is in another form")
    prev = (leaves or [sha256(b"")])[-1].hex()
    check(about["scope"] != "log" or event["prev"] == f"sha256:{prev}", f"event {last} is not what event {seq} names")
    if about["scope"] != "log":
        _, index, *path = file.read(f"proofs/{seq}.tlog-proof").decode().split("\n\n")[0].split("\n")
        made = climb(leaf, seq, size, [*map(b64, path)])
        check(made == b64(top) and index == f"index {seq}", f"{this} is not in the log that was signed")
    check(event["log"] == log and event["at"] >= at, f"{this} is of another log, or older than the one before it")
    for part in (p for p in "bundle decision reason report subject receipt".split() if "sha256:" in str(data.get(p))):
        names = [f"payloads/{seq}.{part}.salt", f"payloads/{seq}.{part}.json", f"receipts/{seq}.jwt"]
        names, start = (names[2:], b"") if part == "receipt" else (names[:2], b"signoff/commit/v1\n")
        there = inside.issuperset(names) or absent.append(f"{seq} {part}")
        made = sha256(start + b"".join(map(file.read, names if there else []))).hex()
        check(data[part] == f"sha256:{made}" or not there, f"{this}: its {part} was changed")
    last, at, _ = seq, event["at"], leaves.append(leaf)
whole = about["scope"] != "log" or (len(leaves) == size and root(leaves) == b64(top))
check(whole, f"the log that was signed has {size} events, and not these")
print(f"HOLDS: {len(leaves)} of {size} signed events. Not in the file to compare: {', '.join(absent) or 'nothing'}")
