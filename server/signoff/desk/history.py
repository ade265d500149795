"""History signals: read the windows that a verdict needs, and keep the series that they are read from.

Runs inside the unit of work that records the ask, so that two processes never judge by the same window: the second
sees what the first recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from signoff.domain.asked import Asked, Entry, SeriesState, stands
from signoff.store.history import EXACT, to_us
from signoff.store.unit import Unit
from signoff.triggers.facts import Facts
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.signals.history import (
    LONGEST,
    Definition,
    HistorySignal,
    Rate,
    Unusable,
    definition_of,
    exact,
    mark_of,
    plain,
)

FILLED_AT_ONCE = 50
"""Earlier asks that one unit of work enters in a new series: some 50 ms in which others wait."""


async def declare(unit: Unit, policy: LoadedPolicy) -> dict[str, SeriesState]:
    """Count what a policy's history signals read, from now on, and return how far each is filled, by digest.

    A definition that is new, or that a longer window reads, is filled from the recorded asks; until then the signals
    that read it are missing, and the rules that read those fire.
    """
    states = {one.digest: one for one in await unit.history.states()}
    if not policy.history:
        return states
    now = await unit.history.now()
    wanted: dict[Definition, timedelta] = {}
    for name, definition in policy.history.items():
        over = _signal(policy, name).over
        wanted[definition] = max(over, wanted.get(definition, over))
    new = False
    for definition, over in wanted.items():
        state = states.get(definition.digest)
        if state is None or not state.active or state.fill_from > now - over:
            await unit.history.declare(definition.digest, definition.text, after=now - over)
            new = True
    if not new:
        return states
    await fill(unit)  # a home with little behind it has its signals at once
    return {one.digest: one for one in await unit.history.states()}


async def windows(unit: Unit, policy: LoadedPolicy, facts: Facts, action_digest: str) -> dict[str, Any]:
    """Return the history signals that the rules for an action read, as they would be if it ran.

    What cannot be known is left out; what cannot be used is an `Unusable`.
    """
    names = [name for name in policy.index.plan(facts.action["tool"]).signals if name in policy.history]
    states = await declare(unit, policy)
    made: dict[str, Any] = {}
    for name in names:
        signal = _signal(policy, name)
        state = states[policy.history[name].digest]
        after = facts.now - signal.over
        if state.complete_from is None or state.complete_from > after:
            continue
        try:
            value = await _window(unit, signal, policy.history[name], facts, action_digest)
        except Unusable as why:
            value = why
        if value is not None:
            made[name] = value
    return made


async def _window(
    unit: Unit, signal: HistorySignal, definition: Definition, facts: Facts, action_digest: str
) -> Any:
    series = definition.series(facts, action_digest)
    if series is None:
        return None
    own = definition.counts_tool(facts.action["tool"])
    after = facts.now - signal.over
    measured = definition.measured(facts) if own else None
    if own and definition.path is not None and measured is None:
        return None
    match definition.family:
        case "used":
            last = await unit.history.last(series)
            return (last is None or last <= to_us(after)) if own else None
        case "sum":
            mine = exact(measured) if own else exact(0)
            return plain(EXACT.add((await unit.history.window(series, after)).total, mine))
        case "distinct":
            held = (await unit.history.window(series, after)).n
            if not own:
                return held
            last = await unit.history.last_of(series, mark_of(measured))
            return held + (last is None or last <= to_us(after))
        case "count":
            asks = (await unit.history.window(series, after)).n + own
            return asks / signal.units if isinstance(signal, Rate) else asks
        case _:
            return (await unit.history.window(series, after)).n


def entries(definitions: Iterable[Definition], facts: Facts, action_digest: str) -> list[Entry]:
    """Return the places of an ask in the series that it belongs to; none where its values cannot be used."""
    made = []
    for definition in definitions:
        if not definition.counts_tool(facts.action["tool"]):
            continue
        try:
            entry = _entry(definition, facts, action_digest)
        except Unusable:
            continue
        if entry is not None:
            made.append(entry)
    return made


def _entry(definition: Definition, facts: Facts, action_digest: str) -> Entry | None:
    series = definition.series(facts, action_digest)
    if series is None:
        return None
    if definition.path is None:
        return Entry(series, definition.counting)
    value = definition.measured(facts)
    if value is None:
        return None
    if definition.family == "distinct":
        return Entry(series, definition.counting, mark=mark_of(value))
    return Entry(series, definition.counting, exact(value))


async def active(unit: Unit) -> list[Definition]:
    """Return what is counted now, whichever process's policy declared it."""
    return [definition_of(one.definition) for one in await unit.history.states() if one.active]


async def fill(unit: Unit) -> bool:
    """Enter the next earlier asks in the series that wait for them; False where none waits."""
    waiting = [one for one in await unit.history.states() if one.active and one.filling]
    if not waiting:
        return False
    state = waiting[0]
    batch = await unit.history.to_fill(state, FILLED_AT_ONCE)
    definition, lost_at = definition_of(state.definition), state.lost_at
    for asked in batch:
        facts = facts_of_asked(asked)
        if not definition.counts_tool(asked.tool):
            continue
        if facts is None or _was_changed(asked, definition):
            lost_at = max(lost_at or asked.moved_at, asked.moved_at)
            continue
        happened = asked.moved_at if definition.counting in ("failures", "denials") else asked.at
        for entry in entries([definition], facts, asked.action_digest):
            counts = stands(entry.counting, asked.standing, asked.outcome)
            await unit.history.enter(asked.seq, entry, at=happened, counts=counts)
    done = len(batch) < FILLED_AT_ONCE
    await unit.history.filled(state, down_to=state.fill_end if done else batch[-1].seq, lost_at=lost_at)
    return True


def facts_of_asked(asked: Asked) -> Facts | None:
    """Return what the policy was asked, with secrets masked; None where it is kept no more.

    The history signals are those that the rules read then.
    """
    if asked.document is None:
        return None
    return Facts(
        action=asked.document["action"],
        bundle=asked.document["bundle"],
        agent=asked.document["agent"],
        session={"id": asked.session},
        now=asked.at,
        history=asked.history,
    )


def _was_changed(asked: Asked, definition: Definition) -> bool:
    """Say whether a value that a definition reads was masked or left out when the ask was kept."""
    assert asked.document is not None  # noqa: S101 -- the caller looked
    gone = [*asked.document["masked"], *asked.document["not_kept"]]
    for path in definition.paths():
        text = ".".join(path)
        if any(
            f"{one}.".startswith((f"{text}.", f"{text}[")) or f"{text}.".startswith(f"{one}.") for one in gone
        ):
            return True
    return False


async def forget(unit: Unit, policy: LoadedPolicy, *, documents_for: timedelta, most: int) -> int:
    """Drop a batch of what nobody needs any more, and return how much it was: documents, entries past every window.

    What the policy does not count any more is counted no more.
    """
    now = await unit.history.now()
    counted = {one.digest for one in policy.history.values()}
    for state in await unit.history.states():
        if state.active and state.digest not in counted:
            await unit.history.retire(state)
    dropped = await unit.history.drop_documents(now - documents_for, most)
    return dropped + await unit.history.drop_old(now - LONGEST, most)


def _signal(policy: LoadedPolicy, name: str) -> HistorySignal:
    signal = policy.signals[name]
    assert isinstance(signal, HistorySignal)  # noqa: S101 -- `LoadedPolicy.history` holds no others
    return signal
