"""Evidence files: what the log says of one case, of a range of events or of everything, in one file for a stranger.

A ZIP whose members are stored as they are, so that nothing is unpacked before it is looked at, and the same content is
the same bytes:

    index.html               for people: what happened, who decided, how to check it
    README.txt               what the other members are
    verify_log.py            checks the file with Python alone
    evidence.json            what the file is about (`Facts`)
    events.jsonl             each event's exact bytes, one a line, by number
    checkpoint.txt           a signed checkpoint that covers them
    proofs/17.tlog-proof     per event, that it is under the checkpoint (c2sp.org/tlog-proof); the whole log needs none
    payloads/17.bundle.json  what event 17 commits to as `bundle`, exact bytes
    payloads/17.bundle.salt  the 32 bytes that its commitment is salted with
    payloads/17.bundle.masked.json   instead of both: with the policy's masks applied, shown and not proven
    receipts/21.jwt          the receipt whose digest event 21 holds
    policies/sha256-….yaml   each policy that the events name
    consistency/12.txt       that the checkpoint's tree begins with that of an older checkpoint: `old 12`, hashes,
                             an empty line, the older checkpoint
    keys/log.pub             the log's public keys; compare them with those you got elsewhere
    keys/receipt.pub         the keys of the receipts

Reading is strict: another name, a name twice, or a member that is packed is refused.
"""

from __future__ import annotations

import base64
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from typing import IO, Any, Literal, get_args

import orjson

from signoff.audit.event_form import parse_event
from signoff.audit.keys import PublicKeys
from signoff.audit.merkle import HASH_BYTES
from signoff.audit.tlog_proof import SUFFIX
from signoff.domain.errors import InvalidRequest
from signoff.domain.event import MAX_EVENT_BYTES

FORMAT = "signoff-evidence/1"
MOST_PROVEN = 100_000
"""Events in a file that is not the whole log: each brings a proof, and a member of its own."""
MAX_MEMBER_BYTES = 8 * 1024 * 1024
SALT_BYTES = 32

Scope = Literal["case", "range", "log"]
Disclosure = Literal["disclosed", "masked", "withheld"]

_MEMBERS = re.compile(
    r"index\.html|README\.txt|verify_log\.py|evidence\.json|events\.jsonl|checkpoint\.txt"
    r"|keys/(?:log|receipt)\.pub"
    r"|proofs/\d{1,19}\.tlog-proof"
    r"|payloads/\d{1,19}\.[a-z_]{1,40}\.(?:json|salt|masked\.json)"
    r"|receipts/\d{1,19}\.jwt"
    r"|policies/sha256-[0-9a-f]{64}\.yaml"
    r"|consistency/\d{1,19}\.txt"
)
_NEEDED = ("evidence.json", "events.jsonl", "checkpoint.txt", "keys/log.pub")


class EvidenceInvalid(InvalidRequest):
    """A file that is no evidence file, or one that cannot be read without doubt."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an evidence file is about. Nothing in it is proven; the events are."""

    log: str
    """The log's name."""
    scope: Scope
    escalation: str | None
    """The case, for scope `case`."""
    first: int
    """Number of the first event in the file."""
    last: int
    events: int
    size: int
    """Of the checkpoint's tree."""
    payloads: Disclosure
    made_at: str
    """UTC, RFC 3339."""
    signoff_version: str
    names: dict[str, str] = field(default_factory=dict)
    """By id, of people and agents, as they are called in the product."""
    format: str = FORMAT

    @property
    def raw(self) -> bytes:
        """Return the member `evidence.json`."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


@dataclass(frozen=True, slots=True)
class Payload:
    """What an evidence file holds of a payload."""

    seq: int
    field: str
    data: bytes
    salt: bytes | None
    """None where the policy's masks were applied, so that nothing can be compared."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """That the tree of the file's checkpoint begins with that of an older one."""

    old: int
    hashes: tuple[bytes, ...]
    note: str
    """The older checkpoint."""

    @property
    def text(self) -> str:
        """Return the member."""
        lines = [
            f"old {self.old}",
            *(base64.b64encode(one).decode("ascii") for one in self.hashes),
            "",
            self.note,
        ]
        return "\n".join(lines)


def verify_log_script() -> bytes:
    """Return `verify_log.py`, which goes into every evidence file."""
    return (files("signoff.audit") / "verify_log.py").read_bytes()


class EvidenceWriter:
    """Writes an evidence file, member by member; events first, by number."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)

    def add(self, name: str, data: bytes) -> None:
        """Add a member."""
        self._zip.writestr(_info(name), data)

    def events(self) -> IO[bytes]:
        """Open the member of events, to be closed before another is added; each line is one event."""
        return self._zip.open(_info("events.jsonl"), "w", force_zip64=True)

    def proof(self, seq: int, text: str) -> None:
        """Add the proof of an event."""
        self.add(f"proofs/{seq}{SUFFIX}", text.encode())

    def payload(self, payload: Payload) -> None:
        """Add a payload with its salt, or a masked one without."""
        stem = f"payloads/{payload.seq}.{payload.field}"
        if payload.salt is None:
            self.add(f"{stem}.masked.json", payload.data)
            return
        self.add(f"{stem}.json", payload.data)
        self.add(f"{stem}.salt", payload.salt)

    def keys(self, keys: PublicKeys) -> None:
        """Add the public keys."""
        self.add("keys/log.pub", "".join(f"{key.text}\n" for key in keys.log).encode())
        if keys.receipts is not None:
            self.add("keys/receipt.pub", orjson.dumps(keys.receipts) + b"\n")

    def policy(self, digest: str, text: str) -> None:
        """Add a policy as it was written."""
        self.add(f"policies/{digest.replace(':', '-')}.yaml", text.encode())

    def finish(self) -> None:
        """Add what every file has, and close it."""
        self.add("README.txt", README.encode())
        self.add("verify_log.py", verify_log_script())
        self._zip.close()


def _info(name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(
        name, (1980, 1, 1, 0, 0, 0)
    )  # the same content is the same bytes, whenever it is written
    made.create_system = 3
    made.external_attr = 0o644 << 16
    return made


class EvidenceFile:
    """An evidence file, opened for reading.

    Raises:
        EvidenceInvalid: It is none, or could be read in two ways.
    """

    def __init__(self, file: IO[bytes]) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise EvidenceInvalid(f"not an evidence file: {error}.", field="bundle") from None
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            self._check(info)
            self._members[info.filename] = info
        for name in _NEEDED:
            if name not in self._members:
                raise EvidenceInvalid(f"it holds no {name}.", field="bundle")
        self.facts = _facts(self._read("evidence.json"))
        self.note = self._text("checkpoint.txt")

    def _check(self, info: zipfile.ZipInfo) -> None:
        if not _MEMBERS.fullmatch(info.filename) or info.filename in self._members:
            raise EvidenceInvalid(f"a member {info.filename[:80]!a} does not belong there.", field="bundle")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise EvidenceInvalid(f"{info.filename} is packed or encrypted.", field="bundle")
        if info.file_size > MAX_MEMBER_BYTES and info.filename not in ("events.jsonl", "index.html"):
            raise EvidenceInvalid(f"{info.filename} is over {MAX_MEMBER_BYTES} bytes.", field="bundle")

    def events(self) -> Iterator[bytes]:
        """Return the events' bytes in the order of the file."""
        with self._open("events.jsonl") as lines:
            while line := lines.readline(MAX_EVENT_BYTES + 2):
                if not line.endswith(b"\n"):
                    raise EvidenceInvalid("events.jsonl ends in the middle of an event.", field="bundle")
                yield line[:-1]

    def proof(self, seq: int) -> str | None:
        """Return the proof of an event, None where there is none."""
        return self._optional(f"proofs/{seq}{SUFFIX}")

    def receipt(self, seq: int) -> str | None:
        """Return the receipt that goes with an event."""
        return self._optional(f"receipts/{seq}.jwt")

    def policy(self, digest: str) -> bytes | None:
        """Return a policy by its digest."""
        name = f"policies/{digest.replace(':', '-')}.yaml"
        return self._read(name) if name in self._members else None

    def payload(self, seq: int, name: str) -> Payload | None:
        """Return what the file holds of a payload.

        Raises:
            EvidenceInvalid: It holds a masked and an open form, or a payload without its salt.
        """
        stem = f"payloads/{seq}.{name}"
        masked, whole, salt = f"{stem}.masked.json", f"{stem}.json", f"{stem}.salt"
        if masked in self._members and whole not in self._members and salt not in self._members:
            return Payload(seq, name, self._read(masked), None)
        held = [one in self._members for one in (whole, salt)]
        if any(held) and (not all(held) or masked in self._members):
            raise EvidenceInvalid(f"{stem} is there in part, or twice.", field="bundle")
        return Payload(seq, name, self._read(whole), self._read(salt)) if all(held) else None

    def consistency(self) -> Iterator[Consistency]:
        """Return the proofs that the checkpoint's tree begins with older ones."""
        for name in self._members:
            if name.startswith("consistency/"):
                yield _consistency(self._text(name), name)

    def leftovers(self, used: Iterable[str]) -> list[str]:
        """Return payloads, proofs and receipts of the file that no event asked for."""
        belong = {*used}
        parts = ("payloads/", "receipts/", "proofs/", "policies/")
        return sorted(name for name in self._members if name.startswith(parts) and name not in belong)

    def keys_text(self) -> tuple[str, str | None]:
        """Return the log's and the receipts' public keys as the file holds them; it vouches for neither."""
        return self._text("keys/log.pub"), self._optional("keys/receipt.pub")

    def _open(self, name: str) -> IO[bytes]:
        try:
            return self._zip.open(self._members[name])
        except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
            raise EvidenceInvalid(f"{name} cannot be read: {error}.", field="bundle") from None

    def _read(self, name: str) -> bytes:
        with self._open(name) as member:
            try:
                return member.read()
            except (zipfile.BadZipFile, OSError, EOFError) as error:
                raise EvidenceInvalid(f"{name} cannot be read: {error}.", field="bundle") from None

    def _text(self, name: str) -> str:
        try:
            return self._read(name).decode("utf-8")
        except UnicodeDecodeError:
            raise EvidenceInvalid(f"{name} is not text.", field="bundle") from None

    def _optional(self, name: str) -> str | None:
        return self._text(name) if name in self._members else None


def _facts(raw: bytes) -> Facts:
    wrong = EvidenceInvalid(f"evidence.json is not that of {FORMAT}.", field="bundle")
    try:
        held: dict[str, Any] = orjson.loads(raw)
        made = Facts(**held)
        numbers = (made.first, made.last, made.events, made.size)
        texts = (made.log, made.made_at, made.signoff_version)
        fine = all(type(one) is int and one >= 0 for one in numbers) and all(
            type(one) is str for one in texts
        )
        fine = fine and made.scope in get_args(Scope) and made.payloads in get_args(Disclosure)
        fine = fine and (type(made.escalation) is str) == (made.scope == "case") and type(made.names) is dict
    except (ValueError, TypeError):
        raise wrong from None
    if not fine or made.format != FORMAT or raw != made.raw:
        raise wrong
    return made


def _consistency(text: str, name: str) -> Consistency:
    head, gap, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    try:
        hashes = tuple(base64.b64decode(line, validate=True) for line in lines)
    except ValueError:
        hashes = (b"",)
    number = first.removeprefix("old ")
    made = Consistency(int(number) if number.isascii() and number.isdecimal() else -1, hashes, note)
    if not gap or any(len(one) != HASH_BYTES for one in hashes) or made.text != text:
        raise EvidenceInvalid(f"{name} is not a proof of consistency.", field="bundle")
    return made


def seq_of(raw: bytes) -> int | None:
    """Return the number that an event states, None where it is no event."""
    record = parse_event(raw)
    return None if record is None or type(record["seq"]) is not int else record["seq"]


README = """\
This is an evidence file of signoff. It holds events of an audit log and what is needed to check them without signoff,
without a network, and without trusting whoever gave it to you.

Begin with index.html: it tells people what happened. It is a summary; what is proven is in the other files.

Check it with Python 3.11 or newer and nothing else:

    python3 verify_log.py THIS_FILE.zip log.pub

log.pub is the log's public key. Get it from somebody else than this file came from: a copy is in keys/log.pub, and
whoever made up a log could make up a key. The same check and more, where signoff is installed:

    signoff audit verify --bundle THIS_FILE.zip --key log.pub --checkpoint A_CHECKPOINT_YOU_KEPT.txt

What the members are:

    evidence.json    what this file is about
    events.jsonl     the events, one a line, exactly the bytes that were hashed
    checkpoint.txt   what the log's key signed: its name, how many events it has, the root of their tree
    proofs/          per event, that it is under that root (c2sp.org/tlog-proof); a whole log needs none
    payloads/        what events commit to: sha256("signoff/commit/v1\\n" + salt + payload) stands in the event;
                     .masked.json was shortened by the policy's masks and cannot be compared
    receipts/        signed decisions; each one's SHA-256 stands in its event
    policies/        the rules that were in force; the file's name is its SHA-256
    consistency/     that the log still begins as an older checkpoint said
    keys/            the public keys
"""
