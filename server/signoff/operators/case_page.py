"""What a case page says: the case as one person may see it, made ready for the template.

What no longer fits on the page is counted there and stands on a page of its own (`case_parts.py`), so that the page of
the largest bundle is as quick as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any, Literal

import anyio.to_thread
from starlette.responses import Response

from signoff.desk.look import CaseView
from signoff.desk.passkeys import has_passkey
from signoff.desk.similar import Similar, past_cases
from signoff.domain.people import SignIn
from signoff.operators.arguments_form import FINAL, RAW, argument_fields
from signoff.operators.diff import changes
from signoff.operators.present import Room, Row, Shown, json_text, rows, shown
from signoff.operators.problems import Problem
from signoff.operators.reading import read_action
from signoff.operators.response_form import Sent, response_field
from signoff.operators.sign_in import Door
from signoff.operators.trace import FIRST_STEPS, FIRST_TURNS, timeline

ACTION_ROOM = 220_000
MATERIAL_ROOM = 320_000
CHANGES_ROOM = 60_000
FORM_ROOM = 160_000
"""In characters of HTML; together with what is always there a page stays well below 1 MB."""
FIRST_EVENTS = 40
MAX_CHANGES = 40
_BRIEF_VALUES = 3
_BRIEF_CHARS = 48


@dataclass(frozen=True, slots=True)
class Why:
    """One trigger that fired, as the page shows it."""

    title: str
    explanation: str
    reason: str
    brief: tuple[Row, ...]
    """The first short values that it read."""
    rest: tuple[Row, ...]


async def page_of(
    door: Door,
    sign_in: SignIn,
    view: CaseView,
    *,
    sent: Sent,
    problem: Problem | None = None,
    problem_title: str = "",
    form: bool = False,
    taken_back: bool = False,
) -> Response:
    """Return the case page.

    Args:
        sent: What the person sent, shown again.
        problem: Why it could not be taken.
        problem_title: What stands over it, where it was about something else than a decision.
        form: Whether the form to modify is on the page however large it is.
        taken_back: Whether the person has just taken their decision back.
    """
    holds_passkey = view.step_up is not None and await has_passkey(door.desk, sign_in.person)
    similar = await past_cases(door.desk, sign_in, view)
    # What agents send takes its time to show; in a thread it holds up nobody else.
    made = partial(
        _made,
        door,
        sign_in,
        view,
        sent=sent,
        problem=problem,
        problem_title=problem_title,
        holds_passkey=holds_passkey,
        similar=similar,
        form=form,
        taken_back=taken_back and view.case.is_open,
    )
    return await anyio.to_thread.run_sync(made)


def _made(
    door: Door,
    sign_in: SignIn,
    view: CaseView,
    *,
    sent: Sent,
    problem: Problem | None,
    problem_title: str,
    holds_passkey: bool,
    similar: Similar | None,
    form: bool,
    taken_back: bool,
) -> Response:
    document = view.document
    schema = document.get("response_schema")
    given = {name: texts[0] for name, texts in sent.items()}
    masked = masked_of(view)
    why = _why(document)
    bundle = document.get("bundle", {})
    values = {
        "person": sign_in.person,
        "now": view.now,
        "view": view,
        "case": view.case,
        "erased": "verdict" not in document,
        "why": why,
        "bundle": bundle,
        "claim": _claim(document),
        "masked": masked,
        "room": Room(MATERIAL_ROOM),
        "action": _action(view, masked),
        **_changed_before(view),
        "steps": _steps(bundle),
        "turns_from": _turns_from(bundle),
        "events": view.events[-FIRST_EVENTS:],
        "similar": similar,
        "response": response_field(schema, sent) if isinstance(schema, dict) else None,
        "no_modify": _no_modify(view),
        **_form(view, sent, anyway=form),
        "given": given,
        "problem": problem,
        "taken_back": taken_back,
        "problem_title": problem_title,
        "holds_passkey": holds_passkey,
        "signs": holds_passkey and view.step_up == "passkey",
        "signed_in_fully": sign_in.only_case is None,
        "by_alert": door.desk.settings.sign_in_by_alert,
    }
    return door.render.page("case.html", values, status=200 if problem is None else problem.status)


def _form(view: CaseView, sent: Sent, *, anyway: bool) -> dict[str, Any]:
    """Return what the form to modify is made of; nothing of it where it would be too large for the page."""
    whole = json_text(view.proposed_arguments)
    given = {name: texts[0] for name, texts in sent.items()}
    apart = not (anyway or given) and 4 * len(escape(whole)) > FORM_ROOM
    return {
        "form_apart": apart,
        "arguments": []
        if apart
        else argument_fields(
            view.proposed_arguments, sent if given.get("choice") == "modify" else {}, tool_schema(view)
        ),
        "tool_schema": tool_schema(view) is not None,
        "raw": "" if apart else given.get(RAW, given.get(FINAL, whole)),
        "raw_original": "" if apart else whole,
    }


def masked_of(view: CaseView) -> frozenset[str]:
    """Return the dotted paths where a secret was masked."""
    return frozenset(view.document.get("masked", ()))


def _action(view: CaseView, masked: frozenset[str]) -> Any:
    """Return the action as its reader understands it; None where it was erased or is hidden from this person."""
    action = view.document.get("action")
    if "verdict" not in view.document or not isinstance(action, dict):
        return None
    if not isinstance(action.get("arguments"), dict):
        return None
    fired = view.document["verdict"].get("fired", [])
    read = frozenset(path for one in fired for path in one.get("values", {}))
    return read_action(
        view.case.tool, view.proposed_arguments, masked=masked, read=read, room=Room(ACTION_ROOM)
    )


def _why(document: Mapping[str, Any]) -> list[Why]:
    verdict = document.get("verdict")
    fired = verdict.get("fired", []) if isinstance(verdict, dict) else []
    return [_why_of(one) for one in fired if isinstance(one, dict)]


def _why_of(fired: Mapping[str, Any]) -> Why:
    read = rows(fired.get("values", {})) or []
    short = [one for one in read if _is_short(one)][:_BRIEF_VALUES]
    rest = [] if len(short) == len(read) else read
    title = str(fired.get("title", ""))
    explanation = str(fired.get("explanation", ""))
    return Why(
        title,
        "" if explanation == title else explanation,
        str(fired.get("reason", "matched")),
        tuple(short),
        tuple(rest),
    )


def _is_short(row: Row) -> bool:
    return row.value is not None and row.value.chars <= _BRIEF_CHARS and row.value.lines == 1


def _claim(document: Mapping[str, Any]) -> str:
    action = document.get("action")
    return str(action.get("summary", "")) if isinstance(action, dict) else ""


def _steps(bundle: Any) -> Any:
    """Return the last steps of the trace; None where there are none, or all of them are hidden."""
    steps = bundle.get("reasoning") if isinstance(bundle, dict) else None
    if not isinstance(steps, list) or not steps:
        return None
    # A few more than fit are no reason for another page.
    start = 0 if len(steps) <= FIRST_STEPS + 5 else len(steps) - FIRST_STEPS
    return timeline(steps, start=start, stop=len(steps))


def _turns_from(bundle: Any) -> int:
    """Return the index of the first turn of the conversation on the page."""
    turns = bundle.get("messages") if isinstance(bundle, dict) else None
    if not isinstance(turns, list) or len(turns) <= FIRST_TURNS + 5:
        return 0
    return len(turns) - FIRST_TURNS


@dataclass(frozen=True, slots=True)
class Change:
    """One argument that a person changed, as far as there is room for it."""

    path: str
    kind: Literal["changed", "added", "removed"]
    old_shown: Shown
    new_shown: Shown


def _changed_before(view: CaseView) -> dict[str, Any]:
    """Return what earlier approvers changed, or what was changed in the end."""
    action = view.document.get("action")
    first = action.get("arguments") if isinstance(action, dict) else None
    found = changes(first, view.proposed_arguments) if isinstance(first, dict) else []
    room = Room(CHANGES_ROOM)
    made = [
        Change(
            one.path,
            one.kind,
            shown(one.old if isinstance(one.old, str) else json_text(one.old), edges=True, room=room),
            shown(one.new if isinstance(one.new, str) else json_text(one.new), edges=True, room=room),
        )
        for one in found[:MAX_CHANGES]
    ]
    return {"changed_before": made, "changed_more": max(0, len(found) - MAX_CHANGES)}


def tool_schema(view: CaseView) -> dict[str, Any] | None:
    """Return the JSON Schema of the tool's arguments, None where the agent did not send it or it is hidden."""
    schema = view.document.get("tool_schema")
    return schema if isinstance(schema, dict) else None


def _no_modify(view: CaseView) -> Literal["", "masked", "hidden"]:
    """Say why the arguments of a case cannot be changed here, empty where they can."""
    if any(path.startswith("action.arguments") for path in view.case.masked):
        return "masked"
    if any(path.startswith("action.arguments") or path == "action" for path in view.hidden):
        return "hidden"
    return ""
