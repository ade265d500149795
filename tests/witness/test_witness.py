"""A witness cosigns what only grows: C2SP tlog-witness over HTTP, and never two trees that contradict each other."""

from __future__ import annotations

import base64
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import anyio.to_thread
import httpx
import metamorphic_log  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from tests._support.clock import HandClock
from tests._support.witnessing import TestLog, fork_of, new_log

from signoff.audit.checkpoint import (
    Checkpoint,
    CheckpointInvalid,
    SigningKey,
    parse_verifier_key,
    verify_note,
)
from signoff.audit.cosignature import (
    WitnessSigner,
    cosignatures_of,
    parse_witness_key,
    parse_witness_signer,
)
from signoff.audit.growth import GrowthInvalid, parse_growth
from signoff.audit.keys import KeyExposed, KeyInvalid, KeyMissing
from signoff.domain.errors import Conflict
from signoff.witness.state import KEY_FILE, SEEN, MemoryLost, Witness, create_key, load_signer, logs_of
from signoff.witness.web import build_witness

NAME = "witness.example/w1"
VECTORS = Path(__file__).parent / "vectors"


@pytest.fixture
def log() -> TestLog:
    return new_log()


@pytest.fixture
def signer(tmp_path: Path) -> WitnessSigner:
    return create_key(tmp_path / "w", NAME)


@pytest.fixture
def witness(tmp_path: Path, signer: WitnessSigner, log: TestLog, clock: HandClock) -> Witness:
    return Witness(tmp_path / "w", signer, logs_of([log.key.verifier]), clock=clock)


@pytest.fixture
async def http(witness: Witness) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_witness(witness))
    async with httpx.AsyncClient(transport=transport, base_url="http://witness.example") as client:
        yield client


async def add(http: httpx.AsyncClient, body: str | bytes) -> httpx.Response:
    return await http.post("/add-checkpoint", content=body)


def check_cosignature(reply: httpx.Response, log: TestLog, size: int, signer: WitnessSigner, at: int) -> None:
    """Check an answer by the words of the specification, with nothing of ours."""
    assert reply.status_code == 200
    assert reply.text.startswith("— ")
    assert reply.text.endswith("\n")
    _, name, encoded = reply.text.strip("\n").split(" ")
    raw = base64.b64decode(encoded)
    public = signer.private.public_key().public_bytes_raw()
    assert name == signer.name
    assert raw[:4] == sha256(name.encode() + b"\n\x04" + public).digest()[:4]
    assert int.from_bytes(raw[4:12], "big") == at
    body = f"{log.key.name}\n{size}\n{base64.b64encode(log.root(size)).decode()}\n"
    Ed25519PublicKey.from_public_bytes(public).verify(raw[12:], f"cosignature/v1\ntime {at}\n{body}".encode())


async def test_a_log_that_grows_is_cosigned_each_time(
    http: httpx.AsyncClient, log: TestLog, signer: WitnessSigner, clock: HandClock
) -> None:
    old = 0
    for size in (0, 1, 2, 7, 8, 9, 300, 300):
        clock.advance(60)
        reply = await add(http, log.request(old, size))
        check_cosignature(reply, log, size, signer, int(clock.now().timestamp()))
        old = size


async def test_a_stale_size_is_answered_with_the_one_that_is_known(
    http: httpx.AsyncClient, log: TestLog
) -> None:
    await add(http, log.request(0, 20))
    for old, new in ((0, 30), (19, 30), (21, 30), (0, 20), (5, 10), (30, 30)):
        reply = await add(http, log.request(old, new))
        assert (reply.status_code, reply.text) == (409, "20\n"), (old, new)
        assert reply.headers["content-type"] == "text/x.tlog.size"
    assert (await add(http, log.request(20, 30))).status_code == 200


async def test_a_fork_is_never_cosigned_and_its_two_trees_are_kept(
    http: httpx.AsyncClient, log: TestLog, tmp_path: Path
) -> None:
    fork = fork_of(log, at=10)
    await add(http, log.request(0, 20))
    assert (await add(http, fork.request(20, 25))).status_code == 422
    reply = await add(http, fork.request(20, 20))
    assert (reply.status_code, reply.text) == (409, "20\n")
    (kept,) = (tmp_path / "w" / SEEN).glob("*.fork")
    assert kept.read_text(encoding="utf-8") == f"{log.note(20)}\n{fork.note(20)}"
    assert (await add(http, log.request(20, 30))).status_code == 200


async def test_what_a_witness_may_not_take_is_refused_as_the_specification_says(
    http: httpx.AsyncClient, log: TestLog
) -> None:
    await add(http, log.request(0, 20))
    honest = log.request(20, 30)
    other = new_log("log.example/two")
    forged = TestLog(SigningKey(log.key.name, Ed25519PrivateKey.generate()))
    old, *_ = honest.split("\n")
    first = honest.split("\n")[1]
    cases: list[tuple[str | bytes, int]] = [
        (other.request(0, 5), 404),
        (forged.request(20, 30), 403),
        (honest.rpartition("— ")[0] + "— log.example/one AAAAAAAAAAAAAAAA\n", 403),
        (log.request(0, 10).replace("old 0", "old 11"), 400),
        (honest.replace(first, base64.b64encode(bytes(32)).decode()), 422),
        (honest.replace(f"{first}\n", ""), 422),
        (honest.replace(first, f"{first}\n{first}"), 422),
        (honest.replace(old, "old 020"), 400),
        (honest.replace(old, "old -1"), 400),
        (honest.replace(old, "Old 20"), 400),
        (honest.replace(old, ""), 400),
        (honest.replace(first, f"{first} "), 400),
        (honest.replace(first, first[:-4]), 400),
        (honest.replace(first, "\n".join([first] * 64)), 400),
        (honest.replace("\n\n", "\n", 1), 400),
        (honest.replace("\n", "\r\n"), 400),
        (honest[:-1], 400),
        ("", 400),
        (honest.encode().replace(b"log.example/one", b"log.example/\xff", 1), 400),
        ("x" * 200_000, 413),
    ]
    for body, status in cases:
        assert (await add(http, body)).status_code == status, body[:200]
    assert (await http.get("/add-checkpoint")).status_code == 405
    assert (await add(http, honest)).status_code == 200  # none of it moved the witness


async def test_a_first_checkpoint_with_a_proof_is_refused(http: httpx.AsyncClient, log: TestLog) -> None:
    first = log.request(20, 30).split("\n")[1]
    assert (await add(http, log.request(0, 20).replace("old 0\n", f"old 0\n{first}\n"))).status_code == 422


async def test_signatures_of_others_are_passed_over_and_a_rotated_log_is_still_known(
    tmp_path: Path, log: TestLog, clock: HandClock, signer: WitnessSigner
) -> None:
    newer = TestLog(SigningKey(log.key.name, Ed25519PrivateKey.generate()))
    both = Witness(tmp_path / "w", signer, logs_of([log.key.verifier, newer.key.verifier]), clock=clock)
    assert both.add_checkpoint(log.request(0, 5)).status == 200
    assert both.add_checkpoint(newer.request(5, 9)).status == 200
    stranger = new_log(log.key.name).note(12).rpartition("\n\n")[2]
    assert both.add_checkpoint(newer.request(9, 12) + stranger).status == 200


class Racing(Witness):
    """Two requests meet after each has read what was seen and before either has written, where nothing prevents it."""

    meeting = threading.Barrier(2)

    def _seen(self, path: Path, origin: str) -> tuple[str, Checkpoint]:
        seen = super()._seen(path, origin)
        with suppress(threading.BrokenBarrierError):
            self.meeting.wait(timeout=0.1)
        return seen


@pytest.mark.parametrize("processes", [1, 2])
async def test_two_forks_at_once_get_one_cosignature(
    tmp_path: Path, log: TestLog, signer: WitnessSigner, clock: HandClock, processes: int
) -> None:
    """With one witness object, and with two on one directory, as two processes would be."""
    made = [
        Racing(tmp_path / "w", signer, logs_of([log.key.verifier]), clock=clock) for _ in range(processes)
    ]
    assert made[0].add_checkpoint(log.request(0, 10)).status == 200
    requests = [log.request(10, 11), fork_of(log, at=10).request(10, 11)]
    replies: list[int] = []

    async def ask(witness: Witness, body: str) -> None:
        replies.append((await anyio.to_thread.run_sync(witness.add_checkpoint, body)).status)

    Racing.meeting.reset()
    async with anyio.create_task_group() as tasks:
        for number, body in enumerate(requests):
            tasks.start_soon(ask, made[number % processes], body)
    assert sorted(replies) == [200, 409]


def test_a_witness_that_forgot_what_it_cosigned_does_not_begin_again(
    tmp_path: Path, log: TestLog, signer: WitnessSigner, witness: Witness, clock: HandClock
) -> None:
    witness.add_checkpoint(log.request(0, 20))
    (seen,) = (tmp_path / "w" / SEEN).iterdir()
    seen.write_text("nonsense", encoding="utf-8")
    with pytest.raises(MemoryLost):
        witness.add_checkpoint(log.request(0, 30))
    seen.unlink()
    seen.parent.rmdir()
    with pytest.raises(MemoryLost):
        Witness(tmp_path / "w", signer, logs_of([log.key.verifier]), clock=clock)


async def test_a_witness_whose_disk_fails_cosigns_nothing_and_says_nothing_of_its_machine(
    http: httpx.AsyncClient, log: TestLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("signoff.witness.state.write_key_file", full)
    reply = await add(http, log.request(0, 20))
    assert (reply.status_code, reply.text) == (500, "Internal error.\n")
    monkeypatch.undo()
    assert (await add(http, log.request(0, 20))).status_code == 200


def test_a_key_is_made_once_and_kept_from_others(tmp_path: Path, signer: WitnessSigner) -> None:
    path = tmp_path / "w" / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_signer(path).key == signer.key
    with pytest.raises(Conflict):
        create_key(tmp_path / "w", "witness.example/w2")
    path.chmod(0o644)
    with pytest.raises(KeyExposed):
        load_signer(path)
    with pytest.raises(KeyMissing):
        load_signer(tmp_path / "none")
    path.chmod(0o600)
    path.write_text("PRIVATE+KEY+x+00000000+AAAA\n", encoding="utf-8")
    with pytest.raises(KeyInvalid):
        load_signer(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text.replace("w1", "w2"),
        lambda text: text.replace("+B", "+A", 1),
        lambda text: f"{text} ",
        lambda text: "",
        lambda text: text.partition("+")[0],
    ],
    ids=["last letter", "name", "kind", "space", "empty", "name only"],
)
def test_a_mistyped_witness_key_is_refused(signer: WitnessSigner, change: object) -> None:
    assert callable(change)
    assert parse_witness_key(signer.key.text) == signer.key
    assert parse_witness_signer(signer.text).key == signer.key
    with pytest.raises(CheckpointInvalid):
        parse_witness_key(change(signer.key.text))
    with pytest.raises(CheckpointInvalid):
        parse_witness_signer(change(signer.text.strip()))


def test_a_log_key_is_no_witness_key(log: TestLog) -> None:
    with pytest.raises(CheckpointInvalid):
        parse_witness_key(log.key.verifier.text)


def test_a_cosigned_note_is_still_a_checkpoint_for_other_peoples_code(
    log: TestLog, signer: WitnessSigner, clock: HandClock
) -> None:
    note = log.note(20) + signer.cosign(log.note(20).rpartition("\n\n")[0] + "\n", clock.now())
    assert metamorphic_log.verify_signed_note(note, [log.key.verifier.text]) == 1
    (made,) = cosignatures_of(note, [signer.key])
    assert (made.key, made.at) == (signer.key, clock.now().replace(microsecond=0))
    assert cosignatures_of(note, []) == []


def test_what_another_implementation_cosigned_is_understood() -> None:
    """`vectors/cosigned.txt` carries the word of aics-witness 0.1.0, beside ours; aics-tlog 0.2.1 accepted both."""
    note = (VECTORS / "cosigned.txt").read_text(encoding="utf-8")
    log_key, *witnesses = (VECTORS / "keys.txt").read_text(encoding="utf-8").split()
    keys = [parse_witness_key(text) for text in witnesses]
    assert verify_note(note, [parse_verifier_key(log_key)]).size == 67_000
    assert [one.key for one in cosignatures_of(note, keys)] == keys
    for number, line in enumerate(note.splitlines()[-2:]):
        wrong = note.replace(line, line[:-6] + ("AAAA" if line[-6:-2] != "AAAA" else "BBBB") + line[-2:])
        with pytest.raises(CheckpointInvalid, match=keys[number].name):
            cosignatures_of(wrong, keys)


def test_a_cosignature_of_another_tree_spoils_the_note(
    log: TestLog, signer: WitnessSigner, clock: HandClock
) -> None:
    line = signer.cosign(log.note(19).rpartition("\n\n")[0] + "\n", clock.now())
    with pytest.raises(CheckpointInvalid, match=r"witness\.example/w1"):
        cosignatures_of(log.note(20) + line, [signer.key])


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_proof_of_growth_comes_back_from_its_text(one: int, two: int) -> None:
    old, new = sorted((one, two))
    log = new_log()
    growth = parse_growth(log.request(old, new))
    assert growth.text == log.request(old, new)
    assert (growth.old_size, growth.checkpoint.size) == (old, new)
    assert growth.shows(log.root(old))
    assert growth.shows(fork_of(log, at=0).root(old)) is (old == 0)


def test_a_text_that_is_much_too_long_is_no_proof() -> None:
    with pytest.raises(GrowthInvalid):
        parse_growth("old 0\n" * 50_000)
