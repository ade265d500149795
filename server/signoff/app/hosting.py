"""Runs what hosts a home: pages, MCP over HTTP, alerts, tiers, deadlines, checkpoints.

`signoff serve` hosts from its start to its end. A `signoff mcp` hosts only while a case waits and nobody else does.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TextIO

import anyio

from signoff.app.hosts import TAKEOVER_WITHIN_S, Host, Lock, is_held, take_within
from signoff.app.opening import open_desk
from signoff.app.standing import why_read_only
from signoff.audit.checkpoint import Checkpoint, parse_checkpoint, parse_note
from signoff.audit.recovery import Allowed
from signoff.config import Config, Home
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.close import expire_due
from signoff.desk.current_policy import note_current_policy
from signoff.desk.desk import Desk
from signoff.desk.escalate import escalate_due
from signoff.desk.heartbeat import note_silence, silence
from signoff.desk.retention import erase_due, scrub_when_small
from signoff.desk.rotate import settle_rotations
from signoff.desk.search_fill import fill_search
from signoff.desk.set_up import issue_set_up_link
from signoff.domain.erasure import Kind
from signoff.domain.errors import SignoffError, StoreUnavailable

if TYPE_CHECKING:
    from signoff.alerts.channels import Channels

log = logging.getLogger("signoff")

EXPIRE_EVERY_S = 1.0
ESCALATE_EVERY_S = 1.0
READ_POLICY_EVERY_S = 2.0
LOOK_FOR_WORK_EVERY_S = 0.5
PAUSE_AFTER_ERROR_S = 10.0
LOOK_AT_ANCHORS_EVERY_S = 5.0
RETAIN_EVERY_S = 3600.0
FILL_SEARCH_EVERY_S = 60.0
VACUUM_MOST_BYTES = 200_000_000
"""A larger database is not rewritten while it is served: that holds off every writer, at some 100 MB a second."""


async def serve(
    config: Config,
    *,
    terminal: TextIO,
    ready: anyio.Event,
    stop: anyio.Event,
    on_set_up: Callable[[str], object] = lambda link: None,
) -> None:
    """Host a home until `stop`: pages, MCP over HTTP, alerts, tiers, deadlines, checkpoints.

    A `signoff mcp` that hosts meanwhile is asked to hand over.

    Args:
        terminal: Where alerts to `terminal:` are printed.
        ready: Set when requests are answered.
        on_set_up: Called before that with the link that sets the home up, where nobody has signed in yet.

    Raises:
        CannotHost: Another `signoff serve` runs on this home, or the port is taken.
    """
    me = Host(os.getpid(), "signoff serve", config.base_url)
    with Lock(config.home.serve_next) as turn, Lock(config.home.serve_lock) as lock:
        # Holding `serve_next` is what asks a `signoff mcp` to hand over.
        await take_within(turn, None, home=config.home, within_s=1.0)
        await take_within(lock, me, home=config.home, within_s=TAKEOVER_WITHIN_S)
        from signoff.app.http import bind

        with closing(bind(config)) as listening:
            async with open_desk(config) as desk, anyio.create_task_group() as tasks:
                tasks.start_soon(stand_watch, desk, config)
                await _offer_set_up(desk, on_set_up)
                await host(desk, config, listening=listening, terminal=terminal, ready=ready, stop=stop)
                tasks.cancel_scope.cancel()


async def _offer_set_up(desk: Desk, on_set_up: Callable[[str], object]) -> None:
    """Hand on the link that sets the home up, where there is one; a home that cannot be written is served without."""
    with suppress(StoreUnavailable):
        link = await issue_set_up_link(desk)
        if link is not None:
            on_set_up(link)


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
    # None of these is needed by a `signoff mcp` that never hosts.
    from signoff.alerts.sign_in_links import run_sign_in_links
    from signoff.alerts.worker import run_alerts
    from signoff.app.alerting import make_channels
    from signoff.app.anchors import ask_places, run_anchors
    from signoff.app.http import build_doors, serve_http

    channels = make_channels(config, desk.clock, terminal=terminal)
    owner = f"host {os.getpid()}"
    async with anyio.create_task_group() as workers:
        workers.start_soon(partial(run_sign_in_links, desk, channels, owner=owner))
        for what, every_s, work in _chores(desk, config):
            workers.start_soon(_repeat, desk, what, every_s, work)
        workers.start_soon(_watch_own_worker, desk, channels)
        if config.settings.anchors:
            workers.start_soon(run_anchors, desk, config)
        await serve_http(
            build_doors(desk, config, channels),
            config,
            listening=listening,
            # Links are sent only when somebody answers them.
            answering=lambda: workers.start_soon(partial(run_alerts, desk, channels, owner=owner)),
            ready=ready,
            stop=stop,
        )
        workers.cancel_scope.cancel()
    with anyio.CancelScope(shield=True), suppress(SignoffError, OSError):
        await publish(desk, config.home)
        if config.settings.anchors:
            await ask_places(desk, config)  # with what was signed last


def _chores(desk: Desk, config: Config) -> list[tuple[str, float, Callable[[], Awaitable[object]]]]:
    """Return what a host does again and again: its name, every how many seconds, and the work."""
    told: list[str] = []
    keep_for = config.settings.retention.keep_for()
    chores: list[tuple[str, float, Callable[[], Awaitable[object]]]] = [
        ("Deadlines", EXPIRE_EVERY_S, lambda: expire_due(desk)),
        ("Tiers", ESCALATE_EVERY_S, lambda: escalate_due(desk)),
        ("Checkpoints", config.settings.checkpoint_every_s, lambda: publish(desk, config.home)),
        ("Policy", READ_POLICY_EVERY_S, lambda: _read_policy(desk, told)),
        ("Retention", RETAIN_EVERY_S, lambda: _retain(desk, config.home, keep_for)),
        ("Search", FILL_SEARCH_EVERY_S, lambda: fill_search(desk)),
    ]
    return chores


async def _retain(desk: Desk, home: Home, keep_for: Mapping[Kind, timedelta]) -> None:
    """Erase what is due, and bring what was erased, by whomever, out of the database's files."""
    if keep_for:
        await erase_due(desk, keep_for)
    size_bytes = (await anyio.Path(home.database).stat()).st_size
    await scrub_when_small(desk, size_bytes=size_bytes, most_bytes=VACUUM_MOST_BYTES)


async def stand_watch(desk: Desk, config: Config) -> None:
    """Look again and again whether the log is the one that was signed; stop writing, and begin again, by that."""
    if desk.store.read_only is not None:
        log.error("READ-ONLY. %s", desk.store.read_only)
    while True:
        await anyio.sleep(LOOK_AT_ANCHORS_EVERY_S)
        try:
            why = await why_read_only(config, desk)
        except SignoffError as error:
            log.warning("Anchors: %s", error.message)
            continue
        except Exception:
            log.exception("Anchors: internal error.")
            continue
        if why is not None and desk.store.read_only is None:
            log.error("READ-ONLY. %s", why)
        if why is None and desk.store.read_only is not None:
            log.warning(
                "The log was recovered, or the newest database put back: signoff decides and stores again."
            )
        desk.store.read_only = why


async def _watch_own_worker(desk: Desk, channels: Channels) -> None:
    """Stand in for the worker of this process where it hangs; it first has the time to be seen."""
    await anyio.sleep(desk.settings.silent_after.total_seconds())
    await _repeat(
        desk,
        "Alerts",
        _watch_every_s(desk),
        lambda: stand_in(desk, channels, owner=f"stand-in {os.getpid()}"),
    )


def _watch_every_s(desk: Desk) -> float:
    return desk.settings.silent_after.total_seconds() / 3


async def stand_in(desk: Desk, channels: Channels, *, owner: str) -> int:
    """Where alerts wait because their worker is silent, say so to the administrators, and send what waits.

    Returns:
        How many alerts were sent, or tried.
    """
    from signoff.alerts.worker import send_due

    found = await note_silence(desk)
    if found is None:
        return 0
    log.error("%s alerts were due and no worker sent them; this process does so now.", found.waiting)
    return await send_due(desk, channels, owner=owner)


async def publish(desk: Desk, home: Home) -> str | None:
    """Sign the log as it stands, keep the checkpoint outside the data directory too, and return it.

    Raises:
        StoreUnavailable: It cannot be signed (`desk/checkpoints.py`) or kept.
    """
    await settle_rotations(desk)
    note = await publish_checkpoint(desk)
    if note is not None:
        try:
            await anyio.to_thread.run_sync(_write_anchor, home, note, desk.signer.recovery())
        except OSError as error:
            raise StoreUnavailable(
                f"The checkpoint cannot be kept in {home.anchor_file}: {error.strerror}."
            ) from None
    return note


def _write_anchor(home: Home, note: str, recovery: Allowed | None) -> None:
    """Put the newest checkpoint in place whole or not at all."""
    with suppress(FileNotFoundError):
        held = _checkpoint(home.anchor_file.read_text(encoding="utf-8"))
        given_up = recovery is not None and held in recovery.superseded
        # Another process may have signed a larger log meanwhile.
        if held.size >= _checkpoint(note).size and not given_up:
            return
    part = home.anchor_file.with_name(f"checkpoint.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(note)
        file.flush()
        os.fsync(file.fileno())
    part.replace(home.anchor_file)


def _checkpoint(note: str) -> Checkpoint:
    return parse_checkpoint(parse_note(note).text)


async def _read_policy(desk: Desk, told: list[str]) -> None:
    """Take up an edited policy, and say once what is wrong with one that cannot be."""
    await note_current_policy(desk)
    problem = desk.policy.problem
    if problem is not None and problem not in told:
        log.warning("%s", problem)
    told[:] = [problem] if problem is not None else []


async def _repeat(desk: Desk, what: str, every_s: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again; what goes wrong is said and tried again. While nothing may be written, rest."""
    while True:
        try:
            if desk.store.read_only is None:
                await work()
        except SignoffError as error:
            log.warning("%s: %s", what, error.message)
        except Exception:
            log.exception("%s: internal error.", what)
        await anyio.sleep(every_s)


async def host_when_needed(desk: Desk, config: Config, *, terminal: TextIO) -> None:
    """Host from within a `signoff mcp` while a case waits and nobody else hosts; hand over to a `signoff serve`.

    Costs one small read each half second until then. Runs until cancelled.

    Args:
        terminal: Where alerts to `terminal:` are printed; stdout belongs to MCP.
    """
    me = Host(os.getpid(), "signoff mcp", config.base_url)
    told, watched_at, silent_before = "", anyio.current_time(), False
    with Lock(config.home.serve_lock) as lock:
        while True:
            await anyio.sleep(LOOK_FOR_WORK_EVERY_S)
            try:
                if anyio.current_time() - watched_at >= _watch_every_s(desk):
                    watched_at = anyio.current_time()
                    silent_before = await _watch_host(
                        desk, config, terminal=terminal, silent_before=silent_before
                    )
                if not await _somebody_is_needed(desk, config.home) or not lock.take(me):
                    continue
                from signoff.app.http import bind

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


async def _watch_host(desk: Desk, config: Config, *, terminal: TextIO, silent_before: bool) -> bool:
    """Stand in for another process that hosts and sends no alerts: it may hang and still hold its lock.

    Returns:
        Whether it is silent. It must be at two looks in a row: one that is just starting is not seen at once.
    """
    async with desk.store.reading() as reader:
        silent = await silence(desk, reader) is not None and is_held(config.home.serve_lock)
    if silent and silent_before:
        from signoff.alerts.channels import Channels

        channels = Channels(terminal, time_limit_s=config.settings.alerts.time_limit_s)
        await stand_in(desk, channels, owner=f"stand-in {os.getpid()}")
    return silent


async def _somebody_is_needed(desk: Desk, home: Home) -> bool:
    """Say whether a case waits for people and no `signoff serve` runs or is about to."""
    async with desk.store.reading() as reader:
        waiting = await reader.count_pending()
    return waiting > 0 and not is_held(home.serve_next)


async def _host_until_wanted(
    desk: Desk, config: Config, *, listening: socket.socket, terminal: TextIO
) -> None:
    stop = anyio.Event()

    async def watch() -> None:
        while not is_held(config.home.serve_next):  # noqa: ASYNC110 - another process holds it
            await anyio.sleep(LOOK_FOR_WORK_EVERY_S)
        stop.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await host(desk, config, listening=listening, terminal=terminal, ready=anyio.Event(), stop=stop)
        tasks.cancel_scope.cancel()
