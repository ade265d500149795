"""Signals: declared by name, computed only where a rule reads them, and never a reason to let something pass."""

from collections.abc import Callable
from typing import Any

import pytest

from signoff.domain.errors import PolicyInvalid
from signoff.domain.verdict import Verdict
from signoff.triggers.load import load_policy

Ask = Callable[..., Verdict]

SLA = """\
signals:
  left: {minutes_left: bundle.state.due_at}
"""
SOON = "  - {id: soon, when: signals.left < 15, then: escalate}"


@pytest.mark.parametrize(
    ("due_at", "outcome", "reasons"),
    [
        ("2026-11-24T09:44:59Z", "escalate", ["matched"]),
        ("2026-11-24T09:45:00Z", "allow", []),
        ("2026-11-24T11:40:00+02:00", "escalate", ["matched"]),
        ("2026-11-24T08:00:00Z", "escalate", ["matched"]),
        ("2026-11-24T12:00:00", "escalate", ["error: the signal left cannot be computed"]),
        ("tomorrow", "escalate", ["error: the signal left cannot be computed"]),
        (17, "escalate", ["error: the signal left cannot be computed"]),
        (None, "escalate", ["missing signals.left"]),
    ],
)
def test_a_deadline_escalates_when_few_minutes_are_left_or_nobody_can_tell(
    ask: Ask, due_at: Any, outcome: str, reasons: list[str]
) -> None:
    state = {} if due_at is None else {"due_at": due_at}

    verdict = ask(SOON, bundle={"state": state}, head=SLA)

    assert (verdict.outcome, [one.reason for one in verdict.fired]) == (outcome, reasons)


def test_has_says_whether_a_signal_could_be_computed(ask: Ask) -> None:
    rule = "  - {id: soon, when: has(signals.left) && signals.left < 15, then: escalate}"

    assert ask(rule, bundle={"state": {}}, head=SLA).outcome == "allow"
    assert ask(rule, bundle={"state": {"due_at": "2026-11-24T09:00:00Z"}}, head=SLA).outcome == "escalate"


def test_a_signal_that_no_rule_for_the_tool_reads_is_not_computed(ask: Ask) -> None:
    rule = "  - {id: soon, tools: [other], when: signals.left < 15, then: escalate}"

    assert ask(rule, bundle={"state": {"due_at": "never"}}, head=SLA).outcome == "allow"


@pytest.mark.parametrize(
    ("signals", "when", "problem"),
    [
        ("left: {minutes_lft: bundle.state.x}", "true", "4:3: signals.left: there is no kind of signal 'minutes_lft' - did you mean 'minutes_left'?"),
        ("left: {minutes_left: bundel.state.x}", "true", "4:24: signals.left.minutes_left: 'bundel.state.x' is no path: write one such as action.arguments.amount or bundle.subject.id - did you mean 'bundle'?"),
        ("left: {minutes_left: bundle.stat.x}", "true", "4:24: signals.left.minutes_left: bundle has no field 'stat' - did you mean 'state'?"),
        ("left: {minutes_left: bundle.state.x, ofer: 1}", "true", "4:40: signals.left.ofer: unknown key (known: minutes_left)"),
        ("left: 7", "true", "4:3: signals.left: declare it by its kind"),
        ("left: {minutes_left: bundle.state.x}", "signals.lft < 1", "6:22: triggers[0].when: no signal 'lft' is declared under signals: - did you mean 'left'?"),
        ("left: {minutes_left: bundle.state.x}", "signals.left < \\\"1\\\"", "triggers[0].when: signals.left is a number and cannot be compared with text"),
        ("left: {minutes_left: bundle.state.x}", "signals.left.minutes > 1", "6:22: triggers[0].when: signals.left is a number and has no field 'minutes'"),
        ("left: {minutes_left: bundle.state.x}", "size(signals) > 1", "6:27: triggers[0].when: name one of the signals: signals.left"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_or_use_is_named_with_its_place(signals: str, when: str, problem: str) -> None:
    text = (
        f'version: 1\n\nsignals:\n  {signals}\ntriggers:\n  - {{id: one, when: "{when}", then: escalate}}\n'
    )

    with pytest.raises(PolicyInvalid) as caught:
        load_policy(text, source="policy.yaml")

    assert any(problem in line for line in caught.value.problems), caught.value.problems
