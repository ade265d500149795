"""What only the embedded database has: its versions, settings, files, and other processes on them."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest
from tests._support.cases import second_hand
from tests._support.clock import HandClock
from tests._support.processes import ROOT, players

from signoff.audit.keys import create_keys
from signoff.domain.errors import Conflict, StoreUnavailable
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.ids import new_id
from signoff.domain.people import Agent
from signoff.store import (
    connect,
    erasure,
    history,
    inbox,
    insight,
    outbox,
    reader,
    sign_ins,
    sqlite,
    unit,
    writer,
)
from signoff.store.connect import driver
from signoff.store.migrate import migrations
from signoff.store.queries import FILES, load_queries
from signoff.store.sqlite import SqliteStore, has_wal_reset_race, open_snapshot, open_store

LOG = "signoff.example/test"


@asynccontextmanager
async def opened(path: Path, log: str = LOG) -> AsyncGenerator[SqliteStore]:
    async with open_store(path, log=log, clock=HandClock(), new_id=new_id) as store:
        yield store


async def note(store: SqliteStore, text: str = "") -> int:
    async def work(made: unit.Unit) -> int:
        return await made.record(Draft("test.noted", made.now, SYSTEM, {"text": text}))

    return await store.write(work)


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),  # no WAL at all
        ((3, 7, 0), True),
        ((3, 37, 2), True),
        ((3, 40, 1), True),  # Debian 12
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 44, 9), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
        ((4, 0, 0), False),
    ],
)
def test_the_wal_reset_race_is_known_by_version(version: tuple[int, int, int], affected: bool) -> None:
    assert has_wal_reset_race(version) is affected


@pytest.mark.parametrize(("affected", "journal", "synchronous"), [(False, "wal", 2), (True, "delete", 3)])
async def test_an_affected_sqlite_runs_without_wal_and_both_keep_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, affected: bool, journal: str, synchronous: int
) -> None:
    monkeypatch.setattr(sqlite, "has_wal_reset_race", lambda version: affected)
    async with opened(tmp_path / "signoff.db") as store:
        assert (store.settings.journal_mode, store.settings.synchronous) == (journal, synchronous)
        await note(store)
        async with store.reading() as view:
            assert await view.count() == 1


async def test_a_setting_that_does_not_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In-memory databases cannot do WAL, as files on some network drives cannot."""
    real = driver()
    module = SimpleNamespace(
        **{name: getattr(real, name) for name in ("Row", "Error", "sqlite_version", "sqlite_version_info")},
        __name__="pysqlite3",
        connect=lambda *_, **more: real.connect(":memory:", isolation_level=None, check_same_thread=False),
    )
    monkeypatch.setattr(sqlite, "driver", lambda: module)
    with pytest.raises(StoreUnavailable, match="journal_mode=memory"):
        async with opened(tmp_path / "signoff.db"):
            pass


# Making and refusing databases


async def test_eight_processes_make_one_database(tmp_path: Path, policy_path: Path) -> None:
    create_keys(tmp_path / "keys", origin=LOG)
    with anyio.fail_after(30):
        async with players(8, tmp_path, "open") as all_of_them:
            for one in all_of_them:
                await one.go()
            assert [await one.hear() for one in all_of_them] == [0] * 8
    with second_hand(tmp_path / "signoff.db") as db:
        rows = [tuple(row) for row in db.execute("SELECT number, name FROM migration")]
    assert rows == [(number, name) for number, name, _ in migrations("sqlite")]


@pytest.mark.parametrize("known", [{1}, {1, 2}, {1, 3}, {1, 4}, {1, 2, 4}, {1, 3, 4}])
async def test_a_database_of_an_older_signoff_ends_up_like_a_new_one(tmp_path: Path, known: set[int]) -> None:
    """Whichever migrations it has seen: branches of development each had their own."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    with second_hand(old) as db:
        db.execute("CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT")
        for number, name, text in migrations("sqlite"):
            if number in known:
                db.executescript(text)
                db.execute("INSERT INTO migration VALUES (?, ?)", (number, name))
    made = []
    for path in (old, new):
        async with open_store(path, log="example.com/log42", clock=HandClock(), new_id=new_id):
            pass
        with second_hand(path) as db:
            made.append(
                (
                    sorted(db.execute("SELECT type, name, sql FROM sqlite_master").fetchall(), key=str),
                    db.execute("SELECT number, name FROM migration").fetchall(),
                )
            )
    assert made[0] == made[1]


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "signoff.db"
    async with opened(path) as store:
        await note(store)
    with second_hand(path) as db:
        db.execute("INSERT INTO migration VALUES (9000, '9000_future.sql')")
    with pytest.raises(StoreUnavailable, match="9000"):
        async with opened(path):
            pass
    with second_hand(path) as db:
        assert db.execute("SELECT COUNT(*) FROM audit_event").fetchone()[0] == 1


async def test_alerts_of_an_older_database_are_kept_with_their_state(tmp_path: Path) -> None:
    path = tmp_path / "signoff.db"
    with second_hand(path) as db:
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT")
        for number, name, text in migrations("sqlite"):
            if number < 8:
                db.executescript(text)
                db.execute("INSERT INTO migration VALUES (?, ?)", (number, name))
        db.execute("INSERT INTO audit_event VALUES (0, NULL, 't', 'a', x'00', x'00')")
        held = [row[1] for row in db.execute("PRAGMA table_info(escalation)")]
        values = {"id": "esc_1", "opened_seq": 0, "status": "pending", "urgency_rank": 2}
        types = {row[1]: row[2] for row in db.execute("PRAGMA table_info(escalation)")}
        row = [values.get(name, 0 if types[name] == "INTEGER" else "") for name in held]
        db.execute(f"INSERT INTO escalation VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - of marks only
        people = [row[1] for row in db.execute("PRAGMA table_info(person)")]
        db.execute(
            f"INSERT INTO person VALUES ({', '.join('?' * len(people))})",  # noqa: S608 - of marks only
            ["per_1" if name == "id" else "[]" for name in people],
        )
        for name, state, error in (("alr_1", "waiting", None), ("alr_2", "failed", "gone")):
            db.execute(
                "INSERT INTO alert VALUES (?, 'opened', 'esc_1', 'per_1', 'terminal:', 'high', 2,"
                " '2026-11-23T20:31:05.000000Z', ?, 3, NULL, NULL, ?, NULL)",
                (name, state, error),
            )
        db.execute("DELETE FROM migration WHERE number >= 8")
    async with opened(path) as store, store.reading() as view:
        found = await view.alerts_of_case("esc_1")
        assert [(one.id, state, one.attempts, one.last_error) for one, state in found] == [
            ("alr_1", "waiting", 3, None),
            ("alr_2", "failed", 3, "gone"),
        ]
        assert await view.count_failed_alerts() == 1
        assert await view.next_alert_due() == "2026-11-23T20:31:05.000000Z"
    with second_hand(path) as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


async def test_the_log_of_other_keys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signoff.db"
    async with opened(path):
        pass
    with pytest.raises(Conflict, match=r"signoff\.example/other"):
        async with opened(path, log="signoff.example/other"):
            pass


@pytest.mark.parametrize(
    "content", [b"not a database, just text" * 100, b"\x00" * 4096, b"SQLite format 3\0broken"]
)
async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signoff.db"
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable):
        async with opened(path):
            pass
    assert path.read_bytes() == content
    with pytest.raises(StoreUnavailable):
        async with open_snapshot(path):
            pass


async def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        async with opened(tmp_path / "nowhere" / "signoff.db"):
            pass
    with pytest.raises(StoreUnavailable, match="no database"):
        async with open_snapshot(tmp_path / "signoff.db"):
            pass


async def test_a_snapshot_changes_nothing_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "signoff.db"
    async with opened(path) as store:
        await note(store)
    before = path.read_bytes()
    async with open_snapshot(path) as view:
        with pytest.raises(Exception, match="readonly"):
            await view._connection.execute_fetchall("DELETE FROM checkpoint")
    assert path.read_bytes() == before


# The log refuses


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET body = x'00' WHERE seq = 1",
        "UPDATE audit_event SET seq = 9 WHERE seq = 2",
        "DELETE FROM audit_event WHERE seq = 2",
        "DELETE FROM audit_event",
        "INSERT OR REPLACE INTO audit_event VALUES (1, NULL, 't', 'a', x'00', x'00')",
        "REPLACE INTO audit_event VALUES (2, NULL, 't', 'a', x'00', x'00')",
        "INSERT INTO audit_event VALUES (7, NULL, 't', 'a', x'00', x'00')",
        "INSERT INTO audit_event VALUES (-1, NULL, 't', 'a', x'00', x'00')",
        "INSERT OR IGNORE INTO audit_event VALUES (9, NULL, 't', 'a', x'00', x'00')",
        "INSERT INTO audit_event VALUES (1, NULL, 't', 'a', x'00', x'00') ON CONFLICT (seq) DO UPDATE SET type = 'x'",
    ],
)
async def test_the_log_is_appended_only(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "signoff.db"
    async with opened(path) as store:
        for _ in range(3):
            await note(store)
        with second_hand(path) as db:
            before = [tuple(row) for row in db.execute("SELECT * FROM audit_event")]
            with pytest.raises(driver().Error, match="audit events are"):
                db.execute(statement)
            assert [tuple(row) for row in db.execute("SELECT * FROM audit_event")] == before


async def test_every_table_is_strict(tmp_path: Path) -> None:
    async with opened(tmp_path / "signoff.db") as store:
        with second_hand(store.path) as db:
            loose = [row[1] for row in db.execute("PRAGMA table_list") if row[2] == "table" and not row[5]]
    assert [name for name in loose if not name.startswith("sqlite_")] == []


async def test_the_write_connection_is_set_as_promised(tmp_path: Path) -> None:
    async with opened(tmp_path / "signoff.db") as store:
        connection = store._writer._connection
        for pragma, wanted in (
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("recursive_triggers", 1),
            ("trusted_schema", 0),
            ("secure_delete", 1),
        ):
            ((held,),) = [tuple(row) for row in await connection.execute_fetchall(f"PRAGMA {pragma}")]
            assert (pragma, held) == (pragma, wanted)


# What the disk refuses


async def test_a_full_disk_is_said_so_and_loses_nothing(tmp_path: Path) -> None:
    """The page limit stands for the disk; the file system's own limit is in tests/faults."""
    async with opened(tmp_path / "signoff.db") as store:
        await note(store, "kept")
        connection = store._writer._connection
        await connection.execute_fetchall("PRAGMA max_page_count = 1")  # no more than there are now
        with suppress(StoreUnavailable):
            while True:
                await note(store, "x" * 10_000)
        with pytest.raises(StoreUnavailable, match="disk is full"):
            await note(store, "x" * 10_000)
        async with store.reading() as view:
            kept = await view.count()
        await connection.execute_fetchall("PRAGMA max_page_count = 1000000")
        assert await note(store, "again") == kept
        async with store.reading() as view:
            assert await view.count() == kept + 1


FULL = """
import resource, signal, sys
from pathlib import Path
import anyio
from tests.store.test_sqlite import note, opened
from signoff.domain.errors import StoreUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

async def main():
    acknowledged = 0
    async with opened(Path(sys.argv[1])) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
        try:
            for _ in range(200):
                await note(store, "x" * 20_000)
                acknowledged += 1
        except StoreUnavailable as error:
            print(error.message)
        async with store.reading() as view:
            assert await view.count() == acknowledged, (await view.count(), acknowledged)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await note(store, "again")
    print(acknowledged + 1)

anyio.run(main)
"""


async def test_a_file_that_may_not_grow_loses_nothing_and_the_store_goes_on_afterwards(
    tmp_path: Path,
) -> None:
    path = tmp_path / "signoff.db"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "server"), str(ROOT)))}
    done = subprocess.run(  # noqa: ASYNC221, S603
        [sys.executable, "-c", FULL, str(path)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    message, acknowledged = done.stdout.splitlines()
    assert "disk" in message
    assert 5 < int(acknowledged) < 100
    async with open_snapshot(path) as view:
        assert await view.count() == int(acknowledged)


async def test_a_database_that_may_only_be_read_is_said_so(tmp_path: Path) -> None:
    async with opened(tmp_path / "signoff.db") as store:
        await note(store)
        await store._writer._connection.execute_fetchall("PRAGMA query_only=ON")
        with pytest.raises(StoreUnavailable, match="read-only"):
            await note(store)
        async with store.reading() as view:
            assert await view.count() == 1


async def test_a_held_lock_fails_the_call_and_not_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "BUSY_MS", 50)
    async with opened(tmp_path / "signoff.db") as store:
        with second_hand(store.path) as db:
            db.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="Another process"):
                await note(store)
            db.execute("COMMIT")
        assert await note(store) == 0


async def test_a_database_that_is_locked_for_long_does_not_end_those_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without WAL a writer can keep readers out; the poller is a reader."""
    monkeypatch.setattr(connect, "BUSY_MS", 20)
    monkeypatch.setattr(sqlite, "has_wal_reset_race", lambda version: True)
    async with opened(tmp_path / "signoff.db") as store, store.watch("esc_1") as watch:
        with second_hand(store.path) as db:
            db.execute("BEGIN EXCLUSIVE")
            assert not await watch.wait(0.2)
            db.execute("COMMIT")
        with anyio.fail_after(5):
            await note(store)


async def ada_in(store: SqliteStore) -> Agent:
    async def work(made: unit.Unit) -> Agent:
        agent = Agent(made.new_id("agt"), "Ada", None, made.now)
        await made.add_agent(agent, b"k" * 32)
        return agent

    return await store.write(work)


async def test_an_agent_is_found_while_another_process_holds_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In WAL mode whoever writes keeps nobody from reading, so the event loop never waits."""
    monkeypatch.setattr(connect, "BUSY_MS", 50)
    async with opened(tmp_path / "signoff.db") as store:
        ada = await ada_in(store)
        with second_hand(store.path) as db:
            db.execute("BEGIN EXCLUSIVE")
            db.execute("UPDATE agent SET paused_at = '2026-11-23T20:31:05.123456Z'")
            assert await store.agent(ada.id) == ada
            db.execute("COMMIT")
        found = await store.agent(ada.id)
        assert found is not None
        assert found.paused_at is not None


async def test_without_wal_a_look_waits_for_the_lock_off_the_event_loop_and_says_when_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "has_wal_reset_race", lambda version: True)
    monkeypatch.setattr(connect, "BUSY_MS", 200)
    async with opened(tmp_path / "signoff.db") as store:
        ada = await ada_in(store)
        assert await store.agent(ada.id) == ada
        turns, looked = 0, anyio.Event()

        async def look() -> None:
            with pytest.raises(StoreUnavailable, match="Another process"):
                await store.agent(ada.id)
            looked.set()

        with second_hand(store.path) as db, anyio.fail_after(5):
            db.execute("BEGIN EXCLUSIVE")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(look)
                while not looked.is_set():
                    await anyio.lowlevel.checkpoint()
                    turns += 1
            db.execute("COMMIT")
        assert turns > 100
        assert await store.agent(ada.id) == ada


async def test_a_look_that_fails_on_the_event_loop_is_tried_where_it_may_wait(tmp_path: Path) -> None:
    async with opened(tmp_path / "signoff.db") as store:
        ada = await ada_in(store)
        assert store._glance is not None
        store._glance._connection.close()
        assert await store.agent(ada.id) == ada
        assert await store.agent_by_key(b"k" * 32) == ada


# Other processes


async def test_a_waiter_is_woken_by_another_process(tmp_path: Path) -> None:
    """Two stores on one file are two processes to each other: they share nothing but the file."""
    path = tmp_path / "signoff.db"
    async with opened(path) as mine, opened(path) as other, mine.watch("esc_1") as watch:
        with anyio.fail_after(5):
            await watch.wait(0.05)  # the poller's first look is behind us

            async def move(made: unit.Unit) -> None:
                await made.record(Draft("test.moved", made.now, SYSTEM, {}, "esc_1"))

            await other.write(move)
            assert await watch.wait(5)


async def test_two_writers_share_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "signoff.db"
    seqs: list[int] = []

    async def write_many(store: SqliteStore) -> None:
        seqs.extend([await note(store) for _ in range(30)])

    async with opened(path) as one, opened(path) as two:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for store in (one, two, one, two):
                    tasks.start_soon(write_many, store)
    assert sorted(seqs) == list(range(120))


# The named SQL


def _names_in_files() -> set[str]:
    texts = [(files("signoff.store") / "sql" / name).read_text(encoding="utf-8") for name in FILES]
    return {name for text in texts for name in re.findall(r"^-- name: (\w+)", text, re.MULTILINE)}


def _names_used() -> set[str]:
    """Names of queries as attributes of `self._q` and of what `load_queries` gave."""
    used = set()
    for module in (unit, reader, writer, sqlite, history, erasure, outbox, sign_ins, inbox, insight):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if not isinstance(node, ast.Attribute):
                continue
            holder = node.value
            if isinstance(holder, ast.Attribute) and holder.attr == "_q":
                used.add(node.attr)
            if isinstance(holder, ast.Name) and holder.id == "queries":
                used.add(node.attr)
    return used


def test_every_query_that_is_used_has_a_name_in_the_files_and_the_other_way_round() -> None:
    assert _names_used() == _names_in_files()
    loaded = load_queries()
    assert set(loaded.available_queries) == _names_in_files()


def test_every_sql_file_is_loaded_and_every_query_says_what_it_is_for() -> None:
    folder = files("signoff.store") / "sql"
    assert {entry.name for entry in folder.iterdir() if entry.name.endswith(".sql")} == set(FILES)
    for name in FILES:
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        for line, after in pairwise(lines):
            if line.startswith("-- name:"):
                assert after.startswith("-- "), f"{name}: {line}"
