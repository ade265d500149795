"""The composition root: opens a home, builds the desk, and runs what serves it.

Any number of processes of one machine may open a home at once: every `signoff mcp` does. One of them hosts: it
holds `serve.lock`, serves the pages and sends the alerts. That is `signoff serve` where it runs; otherwise the
`signoff mcp` that first has a case waiting for a person.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import logging
import os
import socket
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
)
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import anyio
import anyio.abc

from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, CheckpointInvalid, verify_note
from signoff.audit.keys import LOG_KEY, CheckpointSigner, Keys, PublicKeys, create_keys
from signoff.audit.report import Report
from signoff.audit.verify import verify_log
from signoff.config import Config, Home
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.close import expire_due
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.people import add_person, list_people
from signoff.desk.policies import note_current_policy
from signoff.domain.alert import TERMINAL
from signoff.domain.clock import Clock, SystemClock
from signoff.domain.errors import Conflict, SignoffError, StoreUnavailable
from signoff.domain.ids import NewId, new_id
from signoff.domain.people import ROLES
from signoff.store.log_source import LogSource
from signoff.store.reader import Reader
from signoff.store.sqlite import SqliteStore, open_snapshot, open_store
from signoff.triggers.watch import PolicyFile

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from signoff.agents.mcp_http import McpApp

log = logging.getLogger("signoff")

MCP_PATH = "/mcp"
EXPIRE_EVERY_S = 1.0
LOOK_FOR_WORK_EVERY_S = 0.5
TAKEOVER_WITHIN_S = 15.0  # how long a `signoff serve` waits for a `signoff mcp` to hand over
PAUSE_AFTER_ERROR_S = 10.0
GRACE_S = 8  # under the ten seconds after which container runtimes kill


class CannotHost(SignoffError):
    """This process cannot serve the pages: another one does, or something else holds the port."""

    code = "conflict"


@asynccontextmanager
async def open_desk(
    config: Config, *, clock: Clock | None = None, make_id: NewId = new_id
) -> AsyncGenerator[Desk]:
    """Open a home, making what is missing of it: keys, database, and the local user as its first person.

    Raises:
        PolicyInvalid: The policy file cannot be loaded; nothing is decided without one.
        Conflict: Keys and database do not belong together, or the database is an old copy.
        StoreUnavailable: The database cannot be opened safely.
        KeyExposed: A private key is open to others.
    """
    policy = PolicyFile(config.home.policy_file)
    keys = await anyio.to_thread.run_sync(_open_keys, config)
    clock = clock or SystemClock()
    try:
        async with open_store(config.home.database, log=keys.origin, clock=clock, new_id=make_id) as store:
            desk = Desk(
                store=store,
                policy=policy,
                keys=keys,
                signer=CheckpointSigner(keys),
                clock=clock,
                new_id=make_id,
                settings=_desk_settings(config),
            )
            await _check_anchors(config.home, store, keys)
            await note_current_policy(desk)
            await _add_first_person(desk)
            yield desk
    except BaseExceptionGroup as group:
        raise only_error(group) from None


def only_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error in a group of task groups, or the group where there are several."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return group if isinstance(found, BaseExceptionGroup) else found


def _open_keys(config: Config) -> Keys:
    home = config.home
    if home.database.exists() and not (home.keys / LOG_KEY).exists():
        # New keys would begin another log under the same name, and the old one could never be signed again.
        raise Conflict(
            f"There is a database, {home.database}, but not the key of its log, {home.keys / LOG_KEY}."
            " Restore the keys from a backup, or begin in a new home."
        )
    return create_keys(home.keys, origin=config.settings.log_origin)


def _desk_settings(config: Config) -> DeskSettings:
    settings = config.settings
    return DeskSettings(
        base_url=config.base_url,
        undo_s=settings.undo_s,
        urgent_link_valid_for=settings.urgent_link_valid_for,
        case_sign_in_valid_for=settings.case_sign_in_valid_for,
        sign_in_link_valid_for=settings.sign_in_link_valid_for,
        sign_in_valid_for=settings.sign_in_valid_for,
    )


async def _add_first_person(desk: Desk) -> None:
    if await list_people(desk):
        return
    with suppress(Conflict):  # another process of the same start was first
        await add_person(desk, local_user(), roles=ROLES, addresses=(TERMINAL,))


def local_user() -> str:
    """Return the name of the user who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return "operator"


async def _check_anchors(home: Home, store: SqliteStore, keys: Keys) -> None:
    """Refuse a database that is behind, or different from, a checkpoint that was signed before.

    Raises:
        Conflict: It was restored from an old copy, or changed.
    """
    anchors = [_anchor(home.anchor_file, keys), CheckpointSigner(keys).last()]
    async with store.reading() as reader:
        size = (await reader.head()).size
        for anchor in filter(None, anchors):
            if anchor.size > size or await _root_at(reader, anchor.size) != anchor.root:
                raise Conflict(
                    f"The audit log in {home.database} is not the one that was signed: a checkpoint of"
                    f" {anchor.size} events is known and the database, with {size}, does not contain it."
                    " Was an old copy restored? Nothing is decided on it; see `signoff audit verify`."
                )


def _anchor(path: Path, keys: Keys) -> Checkpoint | None:
    try:
        return verify_note(path.read_text(encoding="utf-8"), [keys.log.verifier])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, CheckpointInvalid) as error:
        raise Conflict(
            f"The checkpoint in {path} cannot be used: {error}. Restore it from a backup."
        ) from None


async def _root_at(reader: Reader, size: int) -> bytes:
    """Return the root that the tree had when it was smaller."""
    wanted = merkle.edge_nodes(size)
    nodes = await reader.nodes(wanted)
    return merkle.root([nodes[node] for node in wanted])


def sqlite_settings(desk: Desk) -> dict[str, str]:
    """Return how the database is run, as read back from it: library, version, journal_mode, synchronous."""
    if not isinstance(desk.store, SqliteStore):
        return {}
    read = desk.store.settings
    synchronous = {2: "FULL", 3: "EXTRA"}.get(read.synchronous, str(read.synchronous))
    return {
        "library": read.library,
        "version": read.version,
        "journal_mode": read.journal_mode,
        "synchronous": synchronous,
    }


async def verify_database(
    path: Path,
    keys: PublicKeys,
    *,
    on_progress: Callable[[int, int], None],
    anchors: Iterable[str] = (),
) -> Report:
    """Verify the whole log in a database file, as it stands now; nothing is written and no server is needed.

    Args:
        on_progress: Called with the events done and all events.
        anchors: Checkpoints kept elsewhere, as signed notes.

    Raises:
        StoreUnavailable: The file cannot be read as a database of signoff.
    """
    async with open_snapshot(path) as reader:
        return await verify_log(LogSource(reader), keys, on_progress=on_progress, anchors=anchors)


# Hosting


@dataclass(frozen=True, slots=True)
class Host:
    """Who hosts a home, as the file beside the lock says it."""

    pid: int
    command: str
    base_url: str


class Lock:
    """A lock on a file; the system lets go of it when this process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def take(self, note: Host | None = None) -> bool:
        """Try to lock; False if somebody else holds it.

        Args:
            note: Written into the file, for others to read.
        """
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handle = handle
        if note is not None:
            os.ftruncate(handle, 0)
            text = {"pid": note.pid, "command": note.command, "base_url": note.base_url}
            os.pwrite(handle, json.dumps(text).encode(), 0)
        return True

    def release(self) -> None:
        """Let go of it, if it is held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _is_held(path: Path) -> bool:
    """Say whether some process holds a lock; for a moment this looks like holding it."""
    if not path.exists():
        return False
    with Lock(path) as lock:
        return not lock.take()


def current_host(home: Home) -> Host | None:
    """Return who hosts a home now, None if nobody does."""
    if not _is_held(home.serve_lock):
        return None
    try:
        text: dict[str, Any] = json.loads(home.serve_lock.read_text(encoding="utf-8"))
        return Host(int(text["pid"]), str(text["command"]), str(text["base_url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Host(0, "another process", "")


def bind(config: Config) -> socket.socket:
    """Return a listening socket on the configured address.

    Raises:
        CannotHost: The port is taken, or the address is not this machine's.
    """
    host, port = config.settings.host, config.settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotHost(f"{host} is no address to listen on: {error.strerror}.") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise CannotHost(
            f"Port {port} on {host} cannot be used: {(error.strerror or '').lower()}."
            f" Choose another with --port, or `port` in {config.home.config_file}."
        ) from None
    return listening


async def serve(config: Config, *, terminal: TextIO, ready: anyio.Event, stop: anyio.Event) -> None:
    """Host a home until `stop`: pages, MCP over HTTP, alerts, deadlines, checkpoints.

    A `signoff mcp` that hosts meanwhile is asked to hand over.

    Args:
        terminal: Where alerts to `terminal:` are printed.
        ready: Set when requests are answered.

    Raises:
        CannotHost: Another `signoff serve` runs on this home, or the port is taken.
    """
    me = Host(os.getpid(), "signoff serve", config.base_url)
    with Lock(config.home.serve_next) as turn, Lock(config.home.serve_lock) as lock:
        # Holding `serve_next` is what asks a `signoff mcp` to hand over.
        await _take(turn, None, home=config.home, within_s=1.0)
        await _take(lock, me, home=config.home, within_s=TAKEOVER_WITHIN_S)
        with closing(bind(config)) as listening:
            async with open_desk(config) as desk:
                await host(desk, config, listening=listening, terminal=terminal, ready=ready, stop=stop)


async def _take(lock: Lock, note: Host | None, *, home: Home, within_s: float) -> None:
    """Take a lock within a time; others may look at it for a moment, or be about to let go.

    Raises:
        CannotHost: They do not.
    """
    until = anyio.current_time() + within_s
    while not lock.take(note):
        if anyio.current_time() >= until:
            other = current_host(home)
            who = f" by `{other.command}` (process {other.pid}) at {other.base_url}" if other else ""
            raise CannotHost(f"{home.path} is served already{who}. One server per home is enough.")
        await anyio.sleep(0.1)


async def host(
    desk: Desk,
    config: Config,
    *,
    listening: socket.socket,
    terminal: TextIO,
    ready: anyio.Event,
    stop: anyio.Event,
) -> None:
    """Run pages, MCP over HTTP and the workers until `stop`; the caller holds `serve.lock`."""
    # Nothing of these is needed by a `signoff mcp` that never hosts.
    from signoff.alerts.channels import Channels
    from signoff.alerts.worker import run_alerts

    channels = Channels(terminal, time_limit_s=config.settings.alerts.time_limit_s)
    async with anyio.create_task_group() as workers:
        workers.start_soon(_repeat, "Deadlines", EXPIRE_EVERY_S, lambda: expire_due(desk))
        workers.start_soon(
            _repeat, "Checkpoints", config.settings.checkpoint_every_s, lambda: publish(desk, config.home)
        )
        await _serve_http(
            _doors(desk, config),
            config,
            listening=listening,
            # Links are sent only when somebody answers them.
            answering=lambda: workers.start_soon(
                partial(run_alerts, desk, channels, owner=f"host {os.getpid()}")
            ),
            ready=ready,
            stop=stop,
        )
        workers.cancel_scope.cancel()
    with anyio.CancelScope(shield=True), suppress(SignoffError, OSError):
        await publish(desk, config.home)


async def publish(desk: Desk, home: Home) -> str | None:
    """Sign the log as it stands, keep the checkpoint outside the data directory too, and return it.

    Raises:
        StoreUnavailable: It cannot be signed (`desk/checkpoints.py`) or kept.
    """
    note = await publish_checkpoint(desk)
    if note is not None:
        try:
            await anyio.to_thread.run_sync(_write_anchor, home, note)
        except OSError as error:
            raise StoreUnavailable(
                f"The checkpoint cannot be kept in {home.anchor_file}: {error.strerror}."
            ) from None
    return note


def _write_anchor(home: Home, note: str) -> None:
    """Put the newest checkpoint in place whole or not at all."""
    with suppress(OSError):
        if home.anchor_file.read_text(encoding="utf-8") == note:
            return
    part = home.anchor_file.with_name(f"checkpoint.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(note)
        file.flush()
        os.fsync(file.fileno())
    part.replace(home.anchor_file)


async def _repeat(what: str, every_s: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again; what goes wrong is said and tried again."""
    while True:
        try:
            await work()
        except SignoffError as error:
            log.warning("%s: %s", what, error.message)
        except Exception:
            log.exception("%s: internal error.", what)
        await anyio.sleep(every_s)


@dataclass(frozen=True, slots=True)
class _Doors:
    """Pages and MCP as one ASGI application; `/mcp` and nothing else leads to the agents' door."""

    pages: ASGIApp
    mcp: McpApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self.mcp if scope.get("path") in (MCP_PATH, MCP_PATH + "/") else self.pages
        await app(scope, receive, send)


def _doors(desk: Desk, config: Config) -> _Doors:
    from signoff.agents.mcp_http import mcp_asgi
    from signoff.operators.web import build_pages

    mcp = mcp_asgi(desk, allowed_hosts=config.hosts, allowed_origins=config.origins)
    return _Doors(pages=build_pages(desk), mcp=mcp)


async def _serve_http(
    doors: _Doors,
    config: Config,
    *,
    listening: socket.socket,
    answering: Callable[[], object],
    ready: anyio.Event,
    stop: anyio.Event,
) -> None:
    """Answer HTTP until `stop`, then let go of every connection within a few seconds."""
    import uvicorn

    class Server(uvicorn.Server):
        """Uvicorn without its signal handlers: `signoff mcp` has its own, and so has `signoff serve`."""

        @contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

    server = Server(
        uvicorn.Config(
            doors,
            log_config=None,
            access_log=False,  # paths name cases
            lifespan="off",
            ws="none",
            server_header=False,
            # Only who runs a TLS proxy in front may say where a request came from.
            proxy_headers=config.base_url.startswith("https:"),
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    mcp_runs, mcp_ends = anyio.Event(), anyio.Event()

    async def run_mcp() -> None:
        async with doors.mcp.running():
            mcp_runs.set()
            await mcp_ends.wait()

    async def end() -> None:
        await stop.wait()
        server.should_exit = True
        mcp_ends.set()  # which ends the streams that uvicorn would wait for

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_mcp)
        tasks.start_soon(end)
        await mcp_runs.wait()
        answering()
        ready.set()
        await server.serve(sockets=[listening])
        stop.set()


# signoff mcp


async def host_when_needed(desk: Desk, config: Config, *, terminal: TextIO) -> None:
    """Host from within a `signoff mcp` while a case waits and nobody else hosts; hand over to a `signoff serve`.

    Costs one small read each half second until then. Runs until cancelled.

    Args:
        terminal: Where alerts to `terminal:` are printed; stdout belongs to MCP.
    """
    me = Host(os.getpid(), "signoff mcp", config.base_url)
    told = ""
    with Lock(config.home.serve_lock) as lock:
        while True:
            await anyio.sleep(LOOK_FOR_WORK_EVERY_S)
            try:
                if not await _somebody_is_needed(desk, config.home) or not lock.take(me):
                    continue
                with closing(bind(config)) as listening:
                    await _host_until_wanted(desk, config, listening=listening, terminal=terminal)
            except SignoffError as error:
                if told != error.message:  # once, not twice a second
                    told = error.message
                    log.warning("No page for people can be served from here. %s", error.message)
            except Exception:
                log.exception("Serving pages for people failed; it is tried again.")
                await anyio.sleep(PAUSE_AFTER_ERROR_S)
            finally:
                lock.release()


async def _somebody_is_needed(desk: Desk, home: Home) -> bool:
    """Say whether a case waits for people and no `signoff serve` runs or is about to."""
    async with desk.store.reading() as reader:
        waiting = await reader.count_pending()
    return waiting > 0 and not _is_held(home.serve_next)


async def _host_until_wanted(
    desk: Desk, config: Config, *, listening: socket.socket, terminal: TextIO
) -> None:
    stop = anyio.Event()

    async def watch() -> None:
        while not _is_held(config.home.serve_next):  # noqa: ASYNC110 - another process holds it
            await anyio.sleep(LOOK_FOR_WORK_EVERY_S)
        stop.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await host(desk, config, listening=listening, terminal=terminal, ready=anyio.Event(), stop=stop)
        tasks.cancel_scope.cancel()
