"""Say how far the history signals of the policy in force know the past."""

from __future__ import annotations

from datetime import datetime

from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.domain.clock import to_text
from signoff.triggers.signals.history import HistorySignal


async def history_known(desk: Desk) -> dict[str, datetime | None]:
    """Return from when on each history signal is complete for its window, by name; None while it is being filled.

    An instant that has passed: it is complete. One still to come: rules that read it fire until then.
    """
    policy, made = desk.policy.current(), dict[str, datetime | None]()
    async with desk.store.reading() as reader:
        states = {one.digest: one for one in await reader.windows.states() if one.active}
    for name, definition in policy.history.items():
        signal, state = policy.signals[name], states.get(definition.digest)
        known = None if state is None else state.complete_from
        made[name] = known + signal.over if known and isinstance(signal, HistorySignal) else None
    return made


async def history_told(desk: Desk) -> list[str]:
    """Return one line for all history signals that are complete, and one for each that is not."""
    known = await history_known(desk)
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
    waiting = {name: at for name, at in known.items() if at is None or at > now}
    lines = [f"{len(known) - len(waiting)} of {len(known)} history signals are complete"] if known else []
    for name, at in waiting.items():
        until = "earlier asks are still being entered" if at is None else f"complete at {to_text(at)}"
        lines.append(f"signals.{name}: {until}; until then the rules that read it fire")
    return lines
