"""A policy of a thousand triggers against the same conditions as plain Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.bench.medians import interleaved, told

from signoff.triggers.evaluate import evaluate
from signoff.triggers.facts import Facts
from signoff.triggers.load import load_policy

GOAL = 1.5
TRIGGERS, APPLYING = 1000, 20
TOOL = "refund_order"

Condition = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]

WRITTEN: tuple[tuple[str, str], ...] = (
    ("action.arguments.amount > {n}000", "action['arguments']['amount'] > {n}000"),
    (
        "action.arguments.country in ['IR', 'KP', 'C{n}']",
        "action['arguments']['country'] in ['IR', 'KP', 'C{n}']",
    ),
    ("confidence < 0.0{n}", "bundle['confidence'] < 0.0{n}"),
    (
        "subject.tier == 'vip{n}' && action.arguments.amount > 5",
        "bundle['subject']['tier'] == 'vip{n}' and action['arguments']['amount'] > 5",
    ),
    (
        "has(subject.region) && subject.region.startsWith('x{n}')",
        "'region' in bundle['subject'] and bundle['subject']['region'].startswith('x{n}')",
    ),
)
"""Conditions in CEL and the same in Python; none holds for the facts below."""


def policy_text() -> str:
    """Return a policy of a thousand triggers, twenty of which apply to one tool."""
    lines = ["version: 1", "triggers:"]
    for number in range(TRIGGERS):
        tool = TOOL if number % (TRIGGERS // APPLYING) == 0 else f"tool_{number % 97}"
        when = WRITTEN[(number // 50 + number) % len(WRITTEN)][0].format(n=number % 89 + 11)
        lines.append(f'  - {{id: t{number}, tools: [{tool}], when: "{when}", then: escalate}}')
    return "\n".join(lines)


def as_python(*, applying_only: bool) -> list[Condition]:
    """Return the same conditions, each asking for its tool first."""
    made: list[Condition] = []
    for number in range(TRIGGERS):
        tool = TOOL if number % (TRIGGERS // APPLYING) == 0 else f"tool_{number % 97}"
        body = WRITTEN[(number // 50 + number) % len(WRITTEN)][1].format(n=number % 89 + 11)
        if applying_only and tool != TOOL:
            continue
        made.append(eval(f"lambda action, bundle: action['tool'] == '{tool}' and {body}"))  # noqa: S307 -- the text above
    return made


def test_a_policy_costs_little_more_than_its_conditions_in_python() -> None:
    facts = Facts(
        action={"tool": TOOL, "arguments": {"amount": 120, "country": "DE", "order": "#W2417020"}},
        bundle={
            "confidence": 0.9,
            "subject": {"id": "cus_1", "tier": "gold", "region": "eu"},
            "messages": [{"role": "user", "content": "Please refund my order."}] * 20,
        },
        agent={"id": "agt_1", "name": "ada", "owner": None},
        session={},
        now=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    )
    policy = load_policy(policy_text(), source="bench")
    assert len(policy.index.plan(TOOL).rules) == APPLYING
    every, applying = as_python(applying_only=False), as_python(applying_only=True)
    assert len(applying) == APPLYING

    def lambdas(conditions: list[Condition]) -> list[int]:
        return [number for number, holds in enumerate(conditions) if holds(facts.action, facts.bundle)]

    assert evaluate(policy, facts).fired == ()
    assert lambdas(every) == []
    ours, plain, few = interleaved(
        lambda: evaluate(policy, facts),
        lambda: lambdas(every),
        lambda: lambdas(applying),
        rounds=41,
        calls=100,
    )

    told(
        "evaluation, 1,000 triggers of which 20 apply / 1,000 lambdas",
        ours / plain,
        GOAL,
        f"{ours * 1e6:.0f} us",
    )
    told("  the same / only the 20 lambdas that apply", ours / few, None, f"{few * 1e6:.1f} us")
    assert ours / plain <= GOAL
