"""Whether stored decisions are what their events say, for the verifier.

A decision's row repeats what its event and the payload beside it state, so that it can be read at once. Somebody who
edits the row by hand changes what people are shown; nothing else would notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Row = Mapping[str, Any]


def disagreement(decisions: Iterable[Row], *, undone_seq: int | None) -> str | None:
    """Return what the first wrong row of a case says, None where all agree with their events.

    Args:
        decisions: Every decision of the case by event number, each with its `event` and `content`.
        undone_seq: The number of the last event that took decisions back.
    """
    for row in decisions:
        wrong = _wrong(row, undone_seq)
        if wrong is not None:
            return f"{row['id']}, whose row has another {wrong} than event {row['seq']}"
    return None


def _wrong(row: Row, undone_seq: int | None) -> str | None:
    try:
        event = orjson.loads(row["event"])
        content = None if row["content"] is None else orjson.loads(row["content"])
        roles = orjson.loads(row["roles"])
    except (ValueError, TypeError):
        return "form"
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        return "form"
    actor = event.get("actor")
    actor = actor if isinstance(actor, dict) else {}
    stated = {
        "id": event["data"].get("decision_id"),
        "escalation_id": event.get("escalation"),
        "person_id": actor.get("id"),
        "assurance": actor.get("assurance"),
        "decided_at": event.get("at"),
    }
    if roles != event["data"].get("roles"):
        return "roles"
    if isinstance(content, dict):  # None once erased
        stated["choice"] = content.get("choice")
    for name, said in stated.items():
        if row[name] != said:
            return name
    taken_back = undone_seq is not None and row["seq"] < undone_seq
    return "undone_at" if taken_back != (row["undone_at"] is not None) else None
