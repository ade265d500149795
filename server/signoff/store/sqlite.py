"""The embedded default: one SQLite file, shared by any number of processes of one machine.

WAL with synchronous=FULL: a power cut loses nothing that was acknowledged. A SQLite with the WAL-reset race
(3.7.0 to 3.51.2, fixed in 3.51.3, 3.50.7 and 3.44.6) runs with a rollback journal and synchronous=EXTRA instead.
"""

from __future__ import annotations

import gc
import logging
import os
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import anyio

from signoff.domain.clock import Clock
from signoff.domain.errors import Conflict, SignoffError, StoreUnavailable
from signoff.domain.event import NO_EVENT
from signoff.domain.ids import NewId
from signoff.domain.people import Agent
from signoff.store import rows
from signoff.store.connect import connect, driver
from signoff.store.glance import Glance
from signoff.store.migrate import migrate_sqlite
from signoff.store.queries import load_queries
from signoff.store.reader import Reader
from signoff.store.sealing import NO_KEY, Sealing, settle_addresses
from signoff.store.unit import Unit
from signoff.store.waiters import Waiters, Watching
from signoff.store.writer import Writer

log = logging.getLogger(__name__)

T = TypeVar("T")
READERS = 4
SELDOM = 50_000  # objects more than before until the collector looks, instead of 700
POLL_S = 0.02  # how late a change by another process may be noticed


@dataclass(frozen=True, slots=True)
class Settings:
    """How a database is run, as read back from it."""

    library: str
    version: str
    journal_mode: str
    synchronous: int
    """2 is FULL, 3 is EXTRA."""


def has_wal_reset_race(version: tuple[int, int, int]) -> bool:
    """Say whether a SQLite version can corrupt a database in WAL mode when checkpoints race (sqlite.org/wal.html)."""
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return version >= (3, 7) and not fixed


def _open_for_writing(module: Any, path: Path) -> tuple[Any, Settings]:
    """Open the write connection, with its settings set and read back.

    Raises:
        StoreUnavailable: A setting did not take, so durability is not what it must be.
    """
    connection = connect(module, path, read_only=False)
    wal = not has_wal_reset_race(module.sqlite_version_info)
    wanted = ("wal", 2) if wal else ("delete", 3)
    connection.execute(f"PRAGMA journal_mode={wanted[0]}")
    connection.execute(f"PRAGMA synchronous={wanted[1]}")
    for pragma in ("foreign_keys=ON", "recursive_triggers=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    if (journal, synchronous) != wanted:
        connection.close()
        raise StoreUnavailable(
            f"SQLite runs with journal_mode={journal}, synchronous={synchronous} instead of {wanted[0]},"
            f" {wanted[1]}, so writes would not be safe. Is {path.parent} on a network file system?"
        )
    return connection, Settings(module.__name__, module.sqlite_version, journal, synchronous)


class SqliteStore:
    """A store in one SQLite file; made by `open_store`."""

    def __init__(
        self,
        writer: Writer,
        readers: list[Reader],
        *,
        glance: Glance | None,
        queries: Any,
        waiters: Waiters,
        settings: Settings,
        path: Path,
        sealing: Sealing,
    ) -> None:
        self._sealing = sealing
        self.settings = settings
        self.path = path
        self.read_only: str | None = None
        self._writer = writer
        self._free = list(readers)
        self._lent = anyio.Semaphore(len(readers))
        self._glance = glance
        self._by_id, self._by_key = queries.agent.sql, queries.agent_by_key.sql
        self._errors: tuple[type[Exception], ...] = (sqlite3.Error, driver().Error)
        self._waiters = waiters

    async def write(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Run a unit of work in a transaction and return what it returned, once that is on disk."""
        if self.read_only is not None:
            raise StoreUnavailable(self.read_only)
        return await self.mend(work)

    async def mend(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Write although the store is `read_only`."""
        made: T = await self._writer.submit(work)
        return made

    async def scrub(self, *, vacuum: bool) -> bool:
        """Bring what was erased out of every file of the database; False if others are in the way."""

        async def work(connection: Any) -> bool:
            if vacuum:
                # Words that were erased lie in older parts of the index until all parts are made one.
                await connection.execute_fetchall("INSERT INTO case_words (case_words) VALUES ('optimize')")
                await connection.execute_fetchall("VACUUM")
            ((busy, _, _),) = await connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
            return not busy

        try:
            clean: bool = await self._writer.submit_alone(work)
        except StoreUnavailable as error:
            log.warning("Erased bytes are still in the database's files: %s", error.message)
            return False
        return clean

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Reader]:
        """Lend a connection that reads what is committed."""
        async with self._lent:
            reader = self._free.pop()
            try:
                yield reader
            except Exception as error:
                ours = _translated(error)
                if ours is None or ours is error:
                    raise
                raise ours from error
            finally:
                self._free.append(reader)

    async def agent(self, agent_id: str) -> Agent | None:
        """Return an agent by id as it is committed now, whichever process wrote it."""
        with suppress(*self._errors):
            return self._at_a_glance(self._by_id, {"id": agent_id})
        async with self.reading() as reader:
            return await reader.agent(agent_id)

    async def agent_by_key(self, key_hash: bytes) -> Agent | None:
        """Return the agent that holds a key now."""
        with suppress(*self._errors):
            return self._at_a_glance(self._by_key, {"key_hash": key_hash})
        async with self.reading() as reader:
            return await reader.agent_by_key(key_hash)

    def _at_a_glance(self, sql: str, by: Mapping[str, Any]) -> Agent | None:
        """Read an agent's row on the event loop.

        Raises:
            sqlite3.Error: That does not work at once; a connection that may wait has to read it.
        """
        if self._glance is None:
            raise sqlite3.OperationalError("nothing is read on the event loop here")
        row = self._glance.row(sql, by)
        return None if row is None else rows.agent(row)

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[Reader]:
        """Lend a connection of its own that sees one unchanging state."""
        async with open_snapshot(self.path, sealing=self._sealing) as reader:
            yield reader

    @asynccontextmanager
    async def watch(self, escalation_id: str | None) -> AsyncGenerator[Watching]:
        """Watch a case, or everything, for changes by any task or process."""
        watching = self._waiters.add(escalation_id)
        try:
            yield watching
        finally:
            self._waiters.remove(escalation_id, watching)


@asynccontextmanager
async def open_store(
    path: Path, *, log: str, clock: Clock, new_id: NewId, sealing: Sealing = NO_KEY
) -> AsyncGenerator[SqliteStore]:
    """Open a database, making and migrating it as needed, with its writer running.

    Args:
        path: The file; its folder exists.
        log: The log's origin line; a database that names another log is refused.
        sealing: Seals the addresses of people; without a key, none but the terminal's can be stored.

    Raises:
        StoreUnavailable: The file cannot be opened, or cannot be written safely.
        Conflict: The file holds another log than these keys belong to.
    """
    module, queries = driver(), load_queries()
    waiters = Waiters()
    async with AsyncExitStack() as stack:
        try:
            connection, settings = await anyio.to_thread.run_sync(_open_for_writing, module, path)
            stack.callback(connection.close)
            await anyio.to_thread.run_sync(migrate_sqlite, connection)
            await anyio.to_thread.run_sync(settle_addresses, connection, sealing)
        except (sqlite3.Error, module.Error, OSError) as error:
            raise _translated(error) or StoreUnavailable(f"{path} cannot be opened: {error}.") from error
        writing = await _aio(stack, lambda: connection)
        await queries.start_log(writing, log=log, prev=NO_EVENT)
        row = await queries.head(writing)
        if row["log"] != log:
            raise Conflict(
                f"{path} holds the log {row['log']}, the keys are for {log}. Use the keys that made this database."
            )
        readers = [
            Reader(await _aio(stack, lambda: connect(module, path, read_only=True)), queries, sealing)
            for _ in range(READERS)
        ]
        glance = None
        if settings.journal_mode == "wal":  # otherwise a commit keeps readers waiting
            looking = connect(module, path, read_only=True)
            stack.callback(looking.close)
            glance = Glance(looking)
        watching = await _aio(stack, lambda: connect(module, path, read_only=True))
        writer = Writer(
            writing,
            queries,
            clock=clock,
            new_id=new_id,
            translated=_translated,
            committed=waiters.wake,
            sealing=sealing,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer.run)
            tasks.start_soon(_notice_others, watching, queries, waiters)
            try:
                yield SqliteStore(
                    writer,
                    readers,
                    glance=glance,
                    queries=queries,
                    waiters=waiters,
                    settings=settings,
                    path=path,
                    sealing=sealing,
                )
            finally:
                writer.close()
                with anyio.CancelScope(shield=True):
                    await writer.finished.wait()
                tasks.cancel_scope.cancel()


@asynccontextmanager
async def open_snapshot(path: Path, *, sealing: Sealing = NO_KEY) -> AsyncGenerator[Reader]:
    """Open a database for reading only, as it stands now; no server is needed and nothing is changed.

    Args:
        sealing: Opens the addresses of people; without a key they stay sealed.

    Raises:
        StoreUnavailable: The file is missing or is no database of signoff's.
    """
    module = driver()
    if not await anyio.Path(path).is_file():
        raise StoreUnavailable(f"There is no database at {path}.")
    async with AsyncExitStack() as stack:
        try:
            connection = await _aio(stack, lambda: connect(module, path, read_only=True))
            await connection.execute_fetchall("BEGIN")
            await connection.execute_fetchall("SELECT size FROM audit_head")
        except (sqlite3.Error, module.Error) as error:
            raise StoreUnavailable(f"{path} cannot be read as a database of signoff: {error}.") from error
        yield Reader(connection, load_queries(), sealing)


def copy_database(source: Path, out: Path) -> None:
    """Copy a database while others write to it: one consistent state, in a single file that is on disk.

    Raises:
        StoreUnavailable: It cannot be read or written.
    """
    module = driver()
    handle = os.open(out, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.close(handle)
    reading, writing = connect(module, source, read_only=True), None
    try:
        writing = module.connect(str(out), isolation_level=None)
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")  # no files beside it
        writing.execute("PRAGMA synchronous=EXTRA")
    except (sqlite3.Error, module.Error) as error:
        raise _translated(error) or StoreUnavailable(f"{out} cannot be written: {error}.") from error
    finally:
        reading.close()
        if writing is not None:
            writing.close()
    handle = os.open(out, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@asynccontextmanager
async def open_alone(path: Path) -> AsyncGenerator[Reader]:
    """Open a database as `open_snapshot` does, for a process that does nothing else meanwhile.

    Reads happen at once and on this thread, so nothing else of this event loop runs until they are done. Reading a
    whole log takes half the time: two threads of Python wait for each other at every row.

    Raises:
        StoreUnavailable: The file is missing or is no database of signoff's.
    """
    module = driver()
    if not await anyio.Path(path).is_file():
        raise StoreUnavailable(f"There is no database at {path}.")
    try:
        connection = connect(module, path, read_only=True)
    except (sqlite3.Error, module.Error) as error:
        raise StoreUnavailable(f"{path} cannot be read as a database of signoff: {error}.") from error
    try:
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT size FROM audit_head").fetchall()
        except (sqlite3.Error, module.Error) as error:
            raise StoreUnavailable(f"{path} cannot be read as a database of signoff: {error}.") from error
        queries, often = load_queries(), gc.get_threshold()
        # What is loaded by now stays, and what is read leaves no circles behind: the collector finds nothing in
        # either, and would go through all of it again and again.
        gc.freeze()
        gc.set_threshold(SELDOM, *often[1:])
        try:
            yield Reader(_AtOnce(connection), queries)
        finally:
            gc.set_threshold(*often)
            gc.unfreeze()
    finally:
        connection.close()


class _AtOnce:
    """A connection with the one method that `OneHopAdapter` uses, without the hop; and one for rows without names."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def fetch_tuples(self, sql: str, parameters: Any) -> Any:
        """Run a statement and return its rows as tuples."""
        cursor = self._connection.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, parameters).fetchall()

    async def execute_fetchall(self, sql: str, parameters: Any = ()) -> Any:
        """Run a statement and return its rows."""
        return self._connection.execute(sql, parameters).fetchall()


async def _aio(stack: AsyncExitStack, connector: Callable[[], Any]) -> Any:
    # Opened before the connection's own thread is: where opening fails, aiosqlite stops that thread without waiting
    # for it, and the thread then answers an event loop that may be gone.
    opened = await anyio.to_thread.run_sync(connector)
    with anyio.CancelScope(shield=True):
        connection = await aiosqlite.Connection(lambda: opened, iter_chunk_size=64)

    async def close() -> None:
        with anyio.CancelScope(shield=True):  # its thread must be gone before the event loop is
            await connection.close()

    stack.push_async_callback(close)
    return connection


async def _notice_others(connection: Any, queries: Any, waiters: Waiters) -> None:
    """Wake waiters for changes that other processes wrote."""
    reader = Reader(connection, queries)
    while True:
        await waiters.someone_waits()
        seen, size = None, 0
        while waiters.anyone:
            try:
                (row,) = await connection.execute_fetchall("PRAGMA data_version")
                if seen != row[0]:
                    before = size if seen is not None else max((await reader.head()).size - 1000, 0)
                    size, seen = (await reader.head()).size, row[0]
                    waiters.wake(await reader.cases_changed_since(before))
                    waiters.wake_watchers_of_all()  # not everything that people see change is an event
            except Exception as error:
                # A disk or a lock that fails now may work in a moment; those who wait look for themselves anyway.
                if _translated(error) is None:
                    raise
                seen = None
            await anyio.sleep(POLL_S)


def _translated(error: BaseException) -> SignoffError | None:
    """Return our error for one of SQLite's, None for anything else."""
    if isinstance(error, SignoffError):
        return error
    text = str(error)
    kind = type(error)
    if kind.__name__ not in ("OperationalError", "DatabaseError") or kind.__module__ not in (
        "sqlite3",
        "pysqlite3.dbapi2",
        "pysqlite3._sqlite3",
    ):
        return None
    for words, told in (
        ("disk is full", "The disk is full. Free some space; nothing of this call was stored."),
        (
            "readonly",
            "The database cannot be written (read-only). Check the permissions of the data directory.",
        ),
        ("locked", "Another process holds the database for too long. Nothing was stored; try again."),
        (
            "unable to open",
            "The database cannot be opened. Check that the data directory exists and is writable.",
        ),
        ("disk I/O error", "The disk reports an error. Nothing of this call was stored."),
        ("malformed", "The database file is damaged. Stop signoff and restore a backup."),
        ("not a database", "The file is not a database of signoff."),
    ):
        if words in text:
            return StoreUnavailable(told)
    return None
