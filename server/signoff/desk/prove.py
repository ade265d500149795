"""Prove what the log says of a case."""

from __future__ import annotations

from typing import Any

from signoff.audit.tlog_proof import TlogProof
from signoff.desk.checkpoints import checkpoint_of, cover, prove_event, prove_events, publish_checkpoint
from signoff.desk.desk import Desk
from signoff.desk.moment import moment, settled
from signoff.desk.wait import own_case
from signoff.domain.errors import NotFound
from signoff.domain.people import Agent

_FOR_AGENTS = "escalation."
"""Other events of a case are about people: who was alerted, by which link they came, who looked."""
_DECISIONS = frozenset({"escalation.decided", "escalation.undone", "escalation.approval_given"})


async def prove(desk: Desk, agent: Agent, escalation_id: str) -> dict[str, Any]:
    """Return the events of an agent's own case with inclusion proofs under a signed checkpoint.

    A decision that can still be taken back is not among them, nor one that was.

    Raises:
        NotFound: No such case of this agent.
        StoreUnavailable: No checkpoint could be signed.
    """
    case = await own_case(desk, agent, escalation_id)
    async with desk.store.reading() as reader:
        released = case.released(await moment(desk, reader))
    if released:
        case = await settled(desk, case)
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        last_seq = await reader.last_seq_of_case(escalation_id)
        events = await reader.typed_events_of_case(escalation_id)
    undone = max((seq for seq, type_, _ in events if type_ == "escalation.undone"), default=-1)
    # Of decisions, only those after the last one that was taken back, and none before its release.
    told_after = undone if case.released(now) else last_seq
    shown = [
        (seq, body)
        for seq, type_, body in events
        if type_.startswith(_FOR_AGENTS) and (type_ not in _DECISIONS or seq > told_after)
    ]
    if not shown:
        raise NotFound("There is nothing in the log about this case.")
    note = await cover(desk, last_seq)
    async with desk.store.reading() as reader:
        return await prove_events(reader, shown, note)


async def proofs_of(desk: Desk, what: str) -> list[TlogProof]:
    """Return a proof with its event for one event by its number, or for each event of a case by its id, in order.

    Raises:
        NotFound: No such event or case.
        StoreUnavailable: No checkpoint could be signed.
    """
    note = await publish_checkpoint(desk)
    size = 0 if note is None else checkpoint_of(note).size
    async with desk.store.reading() as reader:
        if what.isascii() and what.isdecimal():
            event = await reader.event(int(what)) if len(what) < 19 else None
            events = [] if event is None else [(int(what), event)]
        else:
            events = await reader.events_of_case(what) if what.isascii() else []
        if note is None or not events:
            raise NotFound(f"There is no such event or case; the log has {size} events, numbered from 0.")
        return [await prove_event(reader, seq, note, event=raw) for seq, raw in events if seq < size]
