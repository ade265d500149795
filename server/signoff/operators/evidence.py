"""The summary in an evidence file: one page for people, without scripts, links or anything to load.

It says what the log says, in the order of the log, and how to check it. What agents and people wrote is shown as on
the case page: as text, whole, with what is hidden in it made visible.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from signoff.desk.evidence import MOST_TOLD, Told
from signoff.operators import present
from signoff.operators.present import Room, Row, Shown
from signoff.operators.render import load

_STYLES = ("tokens.css", "page.css", "case.css", "evidence.css")
_WAYS = {
    "none": "the policy alone",
    "client": "said so by the agent's client",
    "link": "a link sent to the person",
    "session": "a signed-in person",
    "passkey": "a passkey",
}


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision, as the summary tells it."""

    event: dict[str, Any]
    people: tuple[str, ...]
    way: str
    content: Any
    """What the person wrote: None where the file does not hold it."""
    undone: bool


def evidence_page(told: Told) -> str:
    """Return the page of an evidence file."""
    render = load(lambda: None)  # the page is a file, and says nothing of how this server is
    environment, static = render.environment, render.static
    environment.bytecode_cache = (
        None  # compiled templates hold what filters made of constants, and these are others
    )
    environment.filters.update(shown=_whole, argument=lambda text: _whole(text, edges=True), rows=_rows)
    facts, events = told.facts, told.events
    opened = next((one for one in events if one["type"] == "escalation.opened"), None)
    document = told.documents.get(opened["seq"]) if opened is not None and facts.scope == "case" else None
    values = {
        "style": "\n".join(static[name].decode() for name in _STYLES),
        "facts": facts,
        "events": events,
        "most": MOST_TOLD,
        "names": facts.names,
        "digests": told.digests,
        "opened": opened if facts.scope == "case" else None,
        "status": _status(events),
        "action": document.get("action") if isinstance(document, dict) else None,
        "document": document if isinstance(document, dict) else None,
        "decisions": _decisions(told) if facts.scope == "case" else [],
        "reports": [one for (_, name), one in sorted(told.payloads.items()) if name == "report"],
        "note": told.note,
        "policies": told.policies,
        "keys": told.keys,
        "masked": frozenset((document or {}).get("masked", ()))
        if isinstance(document, dict)
        else frozenset(),
    }
    return environment.get_template("evidence.html").render(values)


def _status(events: list[dict[str, Any]]) -> str:
    """Return how a case stood at the end of the file."""
    status = "pending"
    for event in events:
        kind, data = event["type"], event["data"]
        if kind in ("escalation.opened", "escalation.decided"):
            status = data.get("status", status)
        elif kind == "escalation.undone":
            status = "pending"
        elif kind in ("escalation.expired", "escalation.cancelled"):
            status = kind.removeprefix("escalation.")
    return status


def _decisions(told: Told) -> list[Decided]:
    names = told.facts.names
    last_undone = max((one["seq"] for one in told.events if one["type"] == "escalation.undone"), default=-1)
    made = []
    for event in told.events:
        if event["type"] not in ("escalation.decided", "escalation.approval_given"):
            continue
        who = event["actor"].get("id", "")
        made.append(
            Decided(
                event,
                (names.get(who, who),),
                _WAYS.get(event["actor"].get("assurance") or "none", "another way"),
                told.payloads.get((event["seq"], "decision")),
                event["seq"] < last_undone,
            )
        )
    return made


def _whole(text: str, *, edges: bool = False, at: str = "", room: Room | None = None) -> Shown:
    """Prepare a text so that all of it stands open: on paper nothing can be unfolded, or stand on another page."""
    del at, room
    return replace(present.shown(text, edges=edges), head=(), tail=(), found=())


def _rows(
    value: Any,
    *,
    masked: frozenset[str] = frozenset(),
    prefix: str = "",
    at: str = "",
    room: Room | None = None,
) -> list[Row] | None:
    del at, room
    found = present.rows(value, masked=masked, prefix=prefix)
    if found is None:
        return None
    return [
        row if row.value is None else replace(row, value=replace(row.value, head=(), tail=(), found=()))
        for row in found
    ]
