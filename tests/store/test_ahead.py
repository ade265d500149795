"""Payloads that another process reads and hashes are the same as those that are read here, whatever becomes of it."""

from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path

import pytest
from tests._support.cases import second_hand
from tests._support.logs import KEYS, POLICY, log_file

from signoff.app import verify_database
from signoff.audit import verifier
from signoff.audit.payloads import PayloadDigest, digest_payload
from signoff.audit.report import Report
from signoff.store import ahead
from signoff.store.ahead import Payloads, payloads_ahead
from signoff.store.reader import Reader
from signoff.store.sqlite import open_alone

CASES = 400


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with more payloads than the pipe between two processes holds."""
    path = tmp_path_factory.mktemp("ahead") / "log.db"
    with log_file(path) as log:
        log.event("policy.loaded", policy_digest=POLICY, triggers=0)
        for number in range(CASES):
            log.live(number)
        log.sign()
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """A copy of the log, to be changed."""
    with second_hand(made) as db:
        db.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    with second_hand(tmp_path / "copy.db") as db:
        db.execute("PRAGMA journal_mode=WAL")
    return tmp_path / "copy.db"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any log is worth another process, and there is a processor for it."""
    monkeypatch.setattr(ahead, "FIRST", 200)
    monkeypatch.setattr(ahead, "ALONE", 0)
    monkeypatch.setattr(verifier, "MANY", 0)
    monkeypatch.setattr(ahead, "spare_processors", lambda: 1)


async def drained(payloads: Payloads) -> list[PayloadDigest]:
    return [one async for page in payloads() for one in page]


async def read_here(reader: Reader) -> list[PayloadDigest]:
    return [digest_payload(row) async for page in reader.payloads() for row in page]


@pytest.mark.usefixtures("shared")
async def test_an_auditor_gets_every_payload_from_the_other_process(made: Path) -> None:
    async with open_alone(made) as reader, payloads_ahead(made, reader) as payloads:
        assert len(multiprocessing.active_children()) == 1
        found = await drained(payloads)
        assert payloads.were_ahead
        assert found == await read_here(reader)
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("shared")
async def test_an_auditor_misses_no_payload_when_the_other_process_is_killed(made: Path) -> None:
    async with open_alone(made) as reader, payloads_ahead(made, reader) as payloads:
        stream = payloads()
        found = list(await anext(stream))
        found += await anext(stream)  # the first page is read here, the second comes from the other process
        assert found[-1].seq > ahead.FIRST
        (process,) = multiprocessing.active_children()
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        found += [one async for page in stream for one in page]
        assert not payloads.were_ahead
        assert found == await read_here(reader)


@pytest.mark.usefixtures("shared")
async def test_an_auditor_sees_one_state_though_the_log_changes_before_the_other_process_opens_it(
    path: Path,
) -> None:
    async with open_alone(path) as reader:
        await reader.count()  # the state that is verified
        with second_hand(path) as db:
            db.execute("UPDATE audit_head SET size = size + 1")
            db.execute("DELETE FROM payload WHERE field = 'bundle'")
        async with payloads_ahead(path, reader) as payloads:
            found = await drained(payloads)
        assert not payloads.were_ahead
        assert len([one for one in found if one.field == "bundle"]) == CASES


async def test_an_auditor_with_one_processor_reads_everything_in_one_process(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "ALONE", 0)
    monkeypatch.setattr(ahead, "spare_processors", lambda: 0)
    async with open_alone(made) as reader, payloads_ahead(made, reader) as payloads:
        assert multiprocessing.active_children() == []
        assert await drained(payloads) == await read_here(reader)


async def test_an_auditor_misses_no_payload_where_no_process_can_be_started(
    made: Path, monkeypatch: pytest.MonkeyPatch, shared: None
) -> None:
    def refused(*_: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(multiprocessing.get_context("spawn").Process, "start", refused)
    async with open_alone(made) as reader, payloads_ahead(made, reader) as payloads:
        assert await drained(payloads) == await read_here(reader)


async def verified(path: Path) -> Report:
    return await verify_database(path, KEYS, on_progress=lambda done, of: None)


EDITS = {
    "nothing": "SELECT 1",
    "a word of a bundle": "UPDATE payload SET body = CAST(replace(CAST(body AS TEXT), 'invoice 77', 'invoice 78') AS BLOB)"
    " WHERE seq = 1 AND field = 'bundle'",
    "a salt": "UPDATE payload SET salt = zeroblob(32) WHERE seq = (SELECT MAX(seq) FROM payload)",
    "a payload that is gone": "DELETE FROM payload WHERE seq = 1408 AND field = 'bundle'",
    "a payload of its own": "INSERT INTO payload VALUES (2, 'bundle', zeroblob(32), x'7b7d')",
    "a case's words": "UPDATE escalation SET summary = 'Pay the gift' WHERE opened_seq = 1401",
    "a receipt": "UPDATE receipt SET token = token || 'A' WHERE seq = 5",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_an_auditor_hears_the_same_whether_or_not_other_processes_help(
    path: Path, edit: str, request: pytest.FixtureRequest
) -> None:
    with second_hand(path) as db:
        db.execute(edit)
    alone = await verified(path)
    request.getfixturevalue("shared")
    assert await verified(path) == alone
    assert alone.ok is edit.startswith("SELECT")
