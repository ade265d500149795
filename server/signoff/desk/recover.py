"""Recover a log that is behind, or beside, what was signed: one person proposes, another one confirms.

Until the confirmation is on disk the store stays read-only, and from then on it is recovered: the key directory
remembers the event before the transaction that appends it is committed, and nothing counts without both.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio.to_thread

from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, verify_note
from signoff.audit.keys import log_verifiers
from signoff.audit.recovery import MAY_RECOVER, RECOVERED, recovery_data
from signoff.desk.desk import Desk
from signoff.desk.erase import replay
from signoff.desk.holds import check_reason
from signoff.desk.people import key_hash, person_named
from signoff.desk.rotate import rotated_again
from signoff.domain.canonical import canonical
from signoff.domain.errors import Conflict, Forbidden
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.people import Assurance, Person
from signoff.store.reader import Reader
from signoff.store.unit import Unit

VALID_FOR = timedelta(hours=1)
CODE_BYTES = 10
MOST_WRONG = 5


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the first person proposed: to go on from exactly this tree, although these checkpoints were signed."""

    by: str
    """Person id."""
    confirmer: str
    """Person id of who must confirm."""
    reason: str
    code_hash: str
    """SHA-256 of the code, in hex."""
    assurance: Assurance
    """`link` where the code went to an address of the confirmer only, `none` where the terminal showed it."""
    made_at: datetime
    size: int
    root: str
    """In hex."""
    superseded: tuple[str, ...]
    """Signed notes, the largest last."""
    wrong: int = 0
    """How often a wrong code was given."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did."""

    seq: int
    epoch: int
    old: Checkpoint
    erased_again: int
    """Erasures that the restored database had forgotten."""


async def propose(
    desk: Desk, *, by: str, confirmer: str, reason: str, assurance: Assurance, superseded: list[str]
) -> tuple[Proposal, str]:
    """Propose to go on from the database as it is, and return the proposal with the code that confirms it.

    Args:
        by: Name of the person who proposes.
        confirmer: Name of the one who must confirm.
        superseded: Signed notes that the log does not contain, the largest last.

    Raises:
        Conflict: The log contains everything that was signed.
        NotFound: Nobody has one of the names.
        Forbidden: One of them is neither admin nor supervisor, or they are one person.
    """
    check_reason(reason)
    _check_needed(superseded)
    first, second = await person_named(desk, by), await person_named(desk, confirmer)
    _check_two(first, second)
    code = secrets.token_hex(CODE_BYTES)
    async with desk.store.reading() as reader:
        head = await reader.head()
    made = Proposal(
        by=first.id,
        confirmer=second.id,
        reason=reason,
        code_hash=key_hash(code).hex(),
        assurance=assurance,
        made_at=desk.clock.now(),
        size=head.size,
        root=head.root.hex(),
        superseded=tuple(superseded),
    )
    return made, code


async def confirm(desk: Desk, proposal: Proposal, *, by: str, code: str, superseded: list[str]) -> Recovered:
    """Open a new epoch; `log.recovered` is its first event, and names the two people and the old checkpoint.

    Erasures that the restored database had forgotten are done again in the same transaction, and rotations of
    the signing keys are recorded again: whoever knows an older key must be able to follow to the one of today.

    Args:
        by: Name of the person who confirms.
        superseded: Signed notes that the log does not contain now, the largest last.

    Raises:
        Forbidden: Another person, a wrong code, or a proposal that is over an hour old.
        Conflict: The log, or what was signed of it, is not what was proposed; propose again.
    """
    _check_needed(superseded)
    second = await person_named(desk, by)
    if second.id != proposal.confirmer:
        raise Forbidden("This recovery was proposed for somebody else to confirm.")
    if desk.clock.now() >= proposal.made_at + VALID_FOR or proposal.wrong >= MOST_WRONG:
        raise Forbidden("This proposal is no longer valid. Propose the recovery again.")
    if not hmac.compare_digest(proposal.code_hash, key_hash(code.strip()).hex()):
        raise Forbidden("This is not the code of the proposal.")
    if tuple(superseded) != proposal.superseded:
        raise Conflict("Something was signed since the proposal. Propose the recovery again.")

    async def move(unit: Unit) -> Recovered:
        first = await unit.person(proposal.by)
        again = await unit.person(second.id)
        if first is None or again is None:
            raise Conflict("The people of the proposal are not in this database. Propose the recovery again.")
        _check_two(first, again)
        return await _begin_anew(unit, desk, proposal)

    return await desk.store.mend(move)


async def _begin_anew(unit: Unit, desk: Desk, proposal: Proposal) -> Recovered:
    head = await unit.head()
    if (head.size, head.root.hex()) != (proposal.size, proposal.root):
        raise Conflict("The database changed since the proposal. Propose the recovery again.")
    old_note = proposal.superseded[-1]
    old = verify_note(old_note, log_verifiers(desk.keys.directory))
    epoch = await unit.count_events(RECOVERED) + 2
    data = recovery_data(
        epoch=epoch,
        restored=Checkpoint(desk.keys.origin, head.size, head.root),
        old=old,
        old_note=old_note,
        people=(proposal.by, proposal.confirmer),
        assurance=proposal.assurance,
    )
    reason = canonical({"reason": proposal.reason})
    seq = await unit.record(Draft("log.recovered", unit.now, SYSTEM, data), {"reason": reason})
    body = await unit.event_body(seq)
    assert body is not None  # noqa: S101 -- recorded above
    await anyio.to_thread.run_sync(desk.signer.allow, seq, merkle.leaf_hash(body), list(proposal.superseded))
    await rotated_again(unit, desk)
    return Recovered(seq, epoch, old, await replay(unit, desk))


def may_recover(person: Person) -> bool:
    """Say whether a person may take part in a recovery."""
    return person.disabled_at is None and bool(MAY_RECOVER & person.roles)


async def others_who_may(reader: Reader, name: str) -> list[str]:
    """Return the names of those who could confirm what somebody proposes."""
    return [one.name for one in await reader.people() if one.name != name and may_recover(one)]


def _check_two(first: Person, second: Person) -> None:
    if first.id == second.id:
        raise Forbidden("It takes two people to recover the log.")
    for one in (first, second):
        if not may_recover(one):
            raise Forbidden(f"{one.name} is neither admin nor supervisor, or is disabled.")


def _check_needed(superseded: list[str]) -> None:
    if not superseded:
        raise Conflict("The log contains everything that was signed; there is nothing to recover.")
