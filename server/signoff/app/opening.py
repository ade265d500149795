"""Opens a home as a desk: keys, database and policy, made where missing and checked against each other."""

from __future__ import annotations

import getpass
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

from signoff.app.standing import erase_again, why_read_only
from signoff.audit.checkpoint import Checkpoint
from signoff.audit.erasures import ErasureFile
from signoff.audit.keys import LOG_KEY, CheckpointSigner, Keys, PublicKeys, create_keys
from signoff.audit.operators import Operators
from signoff.audit.report import Report
from signoff.audit.verifier import PolicyRow
from signoff.audit.verify import verify_log
from signoff.config import Config, check_policy_kept
from signoff.desk.current_policy import note_current_policy
from signoff.desk.desk import AgentLimits, Desk, DeskSettings
from signoff.desk.follow import MOST_COSIGNATURES, compare_footer
from signoff.desk.people import add_person, list_people
from signoff.desk.record import CheckSettings
from signoff.desk.rotate import check_keys, settle_rotations
from signoff.domain.alert import TERMINAL
from signoff.domain.clock import Clock, SystemClock
from signoff.domain.errors import Conflict
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.ids import NewId, new_id
from signoff.domain.people import ROLES
from signoff.store.ahead import payloads_ahead
from signoff.store.log_source import LogSource
from signoff.store.reader import Reader
from signoff.store.sealing import add_address_key, open_sealing
from signoff.store.sqlite import SqliteStore, open_alone, open_snapshot, open_store
from signoff.store.unit import Unit
from signoff.triggers.watch import PolicyFile


@asynccontextmanager
async def open_desk(
    config: Config, *, clock: Clock | None = None, make_id: NewId = new_id
) -> AsyncGenerator[Desk]:
    """Open a home, making what is missing of it: keys, database, and the local user as its first person.

    A database that is behind, or different from, a checkpoint that was signed before is opened read-only: its
    `store.read_only` says why. What was erased and came back with a backup is erased before anything is served.

    Raises:
        PolicyInvalid: The policy file cannot be loaded, or was lost; nothing is decided without one.
        Conflict: Keys and database do not belong together.
        StoreUnavailable: The database cannot be opened safely.
        KeyExposed: A private key is open to others.
    """
    check_policy_kept(config.home)
    policy = PolicyFile(config.home.policy_file)
    keys = await anyio.to_thread.run_sync(_open_keys, config)
    sealing = await anyio.to_thread.run_sync(open_sealing, config.home.keys)
    clock = clock or SystemClock()
    try:
        async with open_store(
            config.home.database, log=keys.origin, clock=clock, new_id=make_id, sealing=sealing
        ) as store:
            desk = Desk(
                store=store,
                policy=policy,
                keys=keys,
                signer=CheckpointSigner(keys),
                clock=clock,
                new_id=make_id,
                settings=_desk_settings(config),
                erasures=ErasureFile(config.home.erasures_file),
            )
            await _ask_places(config, desk)
            store.read_only = await why_read_only(config, desk)
            await erase_again(desk)
            if store.read_only is None:
                await settle_rotations(desk)
                await check_keys(desk)
            async with desk.recorder.running():
                if store.read_only is None:
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
        sign_in_by_alert=settings.sign_in_by_alert,
        public_audit=settings.audit.public,
        checks=CheckSettings(settings.checks.keep_documents_for, settings.checks.audit),
        digest_above=settings.alerts.digest_above,
        digest_within=settings.alerts.digest_within,
        silent_after=settings.alerts.silent_after,
        limits=AgentLimits(settings.agents.max_open, settings.agents.requests_per_minute),
    )


async def reseal_addresses(config: Config) -> str:
    """Seal everybody's addresses under a new key, and return its id. Other processes take it up by themselves.

    Raises:
        StoreUnavailable: The home cannot be opened, or nothing could be written.
    """
    async with open_desk(config) as desk:
        key_id = await anyio.to_thread.run_sync(add_address_key, config.home.keys)

        async def note(unit: Unit) -> None:
            await unit.record(Draft("key.addresses_resealed", unit.now, SYSTEM, {"key": key_id}))

        await desk.store.write(note)
    async with open_desk(config):  # opening it seals what lies under the key before
        return key_id


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


async def _ask_places(config: Config, desk: Desk) -> None:
    """Ask the places outside what they know of this log, so that `why_read_only` can say it."""
    if not config.settings.anchors:
        return
    from signoff.app.anchors import ask_places  # brings an HTTP client, which most homes do without

    await ask_places(desk, config)


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


async def kept_policies(path: Path) -> list[PolicyRow]:
    """Return every version of the policy that a database file keeps, the one that was loaded last first.

    Raises:
        StoreUnavailable: The file cannot be read as a database of signoff.
    """
    async with open_snapshot(path) as reader:
        found = [one async for page in reader.policies() for one in page]
    return sorted(found, key=lambda one: one.loaded_at, reverse=True)


async def cosigned_notes(path: Path) -> list[str]:
    """Return the newest checkpoints that a database file keeps with cosignatures, as one note each.

    Raises:
        StoreUnavailable: The file cannot be read as a database of signoff.
    """
    async with open_snapshot(path) as reader:
        found = await reader.newest_cosigned(MOST_COSIGNATURES)
    return [row.note + "".join(lines) for row, lines in found]


async def compare_footer_with(path: Path, text: str) -> Checkpoint | None:
    """Hold an alert's footer against the log in a database file (`desk/follow.py: compare_footer`)."""
    async with open_snapshot(path) as reader:
        return await compare_footer(reader, text)


async def verify_database(
    path: Path,
    keys: PublicKeys,
    *,
    on_progress: Callable[[int, int], None],
    anchors: Iterable[str] = (),
    operators: Operators | None = None,
) -> Report:
    """Verify the whole log in a database file, as it stands now; nothing is written and no server is needed.

    Args:
        on_progress: Called with the events done and all events.
        anchors: Checkpoints kept elsewhere, as signed notes.
        operators: The passkeys of people, kept elsewhere.

    Raises:
        StoreUnavailable: The file cannot be read as a database of signoff.
    """
    async with open_alone(path) as reader, payloads_ahead(path, reader) as payloads:
        source = LogSource(reader, payloads)
        return await verify_log(source, keys, on_progress=on_progress, anchors=anchors, operators=operators)


@asynccontextmanager
async def read_database(path: Path) -> AsyncGenerator[Reader]:
    """Open a database as it stands now, for reading only; nothing is written and no server is needed.

    Raises:
        StoreUnavailable: The file cannot be read as a database of signoff.
    """
    async with open_snapshot(path) as reader:
        yield reader
