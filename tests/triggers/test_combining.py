"""Properties of combining that hold for every policy and every input."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.domain.people import ASSURANCES
from signoff.domain.verdict import URGENCIES, Verdict
from signoff.triggers.evaluate import STRICTNESS, evaluate
from signoff.triggers.facts import Facts
from signoff.triggers.load import LoadedPolicy, load_policy

CONDITIONS = [
    None,
    "action.arguments.n > 5",
    "action.arguments.s.contains('a')",
    "has(action.arguments.n) && action.arguments.n < 0",
    "confidence < 0.5",
    "subject.tier in ['vip']",
    "action.arguments.list.exists(i, i > 3)",
    "double(action.arguments.s) > 2.0",
]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(st.sampled_from(["n", "s", "list", "x"]), values)
bundles = st.fixed_dictionaries(
    {},
    optional={"confidence": st.none() | st.floats(0, 1), "subject": st.dictionaries(st.just("tier"), values)},
)


@st.composite
def triggers(draw: st.DrawFn, then: tuple[str, ...] = STRICTNESS) -> dict[str, Any]:
    made: dict[str, Any] = {
        "then": draw(st.sampled_from(then)),
        "when": draw(st.sampled_from(CONDITIONS)),
        "urgency": draw(st.sampled_from(URGENCIES)),
        "mode": draw(st.sampled_from(["enforce", "enforce", "shadow"])),
        "require": {
            "role": draw(st.sampled_from(["operator", "supervisor"])),
            "approvals": draw(st.integers(1, 3)),
            "assurance": draw(st.sampled_from(ASSURANCES[1:])),
            "separation": draw(st.booleans()),
        },
    }
    return made


def load(some: list[dict[str, Any]], unmatched: str = "allow") -> LoadedPolicy:
    lines = ["version: 1", f"defaults: {{unmatched: {unmatched}}}", "triggers:"]
    for trigger in some:
        require = ", ".join(f"{key}: {str(value).lower()}" for key, value in trigger["require"].items())
        lines.append(f"  - id: {trigger['id']}")
        lines += [f"    {key}: {trigger[key]}" for key in ("then", "urgency", "mode")]
        lines.append(f"    require: {{{require}}}")
        if trigger["when"]:
            lines.append(f'    when: "{trigger["when"]}"')
        if trigger.get("suppresses"):
            lines.append(f"    suppresses: [{', '.join(trigger['suppresses'])}]")
    if not some:
        lines[-1] = "triggers: []"
    return load_policy("\n".join(lines), source="p")


def numbered(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give ids, and let allow triggers suppress the trigger after them where that does not allow."""
    made = [{**trigger, "id": f"t{number}"} for number, trigger in enumerate(some)]
    for trigger, following in pairwise(made):
        if trigger["then"] == "allow" and following["then"] != "allow":
            trigger["suppresses"] = [following["id"]]
    return made


def verdict(policy: LoadedPolicy, arguments: dict[str, Any], bundle: dict[str, Any]) -> Verdict:
    facts = Facts({"tool": "x", "arguments": arguments}, bundle, {}, {}, datetime(2026, 1, 1, tzinfo=UTC))
    return evaluate(policy, facts)


def strictness(given: Verdict) -> tuple[int, int, int, bool]:
    return (
        STRICTNESS.index(given.outcome),
        given.require.approvals,
        ASSURANCES.index(given.require.assurance),
        given.require.separation,
    )


@given(st.lists(triggers(), max_size=5), triggers(("escalate", "deny")), arguments, bundles)
def test_one_more_trigger_that_escalates_or_denies_never_loosens_a_verdict(
    some: list[dict[str, Any]], more: dict[str, Any], arguments: dict[str, Any], bundle: dict[str, Any]
) -> None:
    before = verdict(load(numbered(some)), arguments, bundle)
    after = verdict(load([*numbered(some), {**more, "id": "more"}]), arguments, bundle)

    assert STRICTNESS.index(after.outcome) >= STRICTNESS.index(before.outcome)
    assert URGENCIES.index(after.urgency) >= URGENCIES.index(before.urgency) or before.urgency == "normal"
    if before.outcome == after.outcome == "escalate":
        assert all(new >= old for new, old in zip(strictness(after), strictness(before), strict=True))


@given(st.lists(triggers(), max_size=5).map(numbered), st.randoms(use_true_random=False), arguments, bundles)
def test_the_order_of_triggers_does_not_matter(
    some: list[dict[str, Any]], random: Any, arguments: dict[str, Any], bundle: dict[str, Any]
) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)
    one, other = verdict(load(some), arguments, bundle), verdict(load(shuffled), arguments, bundle)

    assert strictness(one) == strictness(other)
    assert (one.urgency, one.approve_within) == (other.urgency, other.approve_within)
    assert {fired.trigger: fired for fired in one.fired} == {fired.trigger: fired for fired in other.fired}


@given(st.lists(triggers(), min_size=1, max_size=5).map(numbered), arguments, bundles)
def test_any_error_or_missing_field_of_an_enforced_trigger_is_never_an_allow(
    some: list[dict[str, Any]], arguments: dict[str, Any], bundle: dict[str, Any]
) -> None:
    given = verdict(load(some), arguments, bundle)

    if any(fired.reason != "matched" for fired in given.fired):
        assert given.outcome != "allow"
    assert all(fired.then != "allow" for fired in given.fired if fired.reason != "matched")


@given(st.lists(triggers(), max_size=5).map(numbered), arguments, bundles)
def test_no_reason_carries_what_the_agent_sent(
    some: list[dict[str, Any]], arguments: dict[str, Any], bundle: dict[str, Any]
) -> None:
    given = verdict(load(some), {**arguments, "s": "marker-3f9a"}, bundle)

    assert all("marker-3f9a" not in fired.reason for fired in (*given.fired, *given.shadow))


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [({"amount": 900}, "escalate"), ({"amount": 1}, "deny"), ({}, "deny"), ({"amount": "much"}, "deny")],
)
def test_what_cannot_be_evaluated_never_loosens_a_default_of_deny(
    ask: Callable[..., Verdict], arguments: dict[str, Any], outcome: str
) -> None:
    rule = "  - {id: large, when: action.arguments.amount > 500, then: escalate}"

    assert ask(rule, arguments, head="defaults: {unmatched: deny}").outcome == outcome
