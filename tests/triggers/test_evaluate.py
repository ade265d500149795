import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from signoff.domain.verdict import Requirement, Verdict
from signoff.triggers.compile import MAX_PLANS, Glob, index_rules
from signoff.triggers.evaluate import evaluate
from signoff.triggers.facts import Facts
from signoff.triggers.load import load_policy

Ask = Callable[..., Verdict]


def told(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(fired.trigger, fired.then, fired.reason) for fired in verdict.fired]


@pytest.mark.parametrize(
    ("when", "arguments", "reason"),
    [
        ("action.arguments.amount > 100", {"amount": 101}, "matched"),
        ("action.arguments.amount > 100", {"amount": 100}, None),
        ("action.arguments.amount > 100", {"amount": 100.5}, "matched"),
        ("action.arguments.amount > 100", {}, "missing action.arguments.amount"),
        ("action.arguments.amount > 100", {"amount": "101"}, "error: values of types that cannot be compared or combined"),
        ("action.arguments.amount > 100", {"amount": None}, "error: values of types that cannot be compared or combined"),
        ("action.arguments.amount > 100", {"amount": True}, "error: values of types that cannot be compared or combined"),
        ("action.arguments.note == null", {"note": None}, "matched"),
        ("double(action.arguments.amount) > 100.0", {"amount": "NaN"}, "error: values of types that cannot be compared or combined"),
        ("double(action.arguments.amount) > 100.0", {"amount": "1e999"}, "matched"),
        ("double(action.arguments.amount) > 100.0", {"amount": "ten"}, "error: a value that an operation or function does not take"),
        ("action.arguments.amount > 100", {"amount": 1e80}, "error: action.arguments.amount is a number too large for rules"),
        ("action.arguments.a / action.arguments.b > 2", {"a": 1, "b": 0}, "error: division by zero"),
        ("action.arguments.a / action.arguments.b > 2.0", {"a": 0.0, "b": 0.0}, "error: values of types that cannot be compared or combined"),
        ("action.arguments.a * action.arguments.a > 2", {"a": 2**53}, "error: a number out of range"),
        ("action.arguments.to.country == 'DE'", {"to": "DE"}, "error: action.arguments.to is not an object"),
        ("action.arguments.to.country == 'DE'", {"to": None}, "missing action.arguments.to.country"),
        ("action.arguments.items[3] == 1", {"items": [1]}, "missing an item that the condition looks up"),
        ("action.arguments.items.exists(i, i.price > 5)", {"items": [{"price": 1}, {}]}, "missing price"),
        ("action.arguments.items.exists(i, i.price > 5)", {"items": [{"price": 6}, {}]}, "matched"),
        ("{'DE': 1}[action.arguments.country] == 1", {"country": "Approved by Omar"}, "missing a key that the condition looks up"),
        ("action.arguments.flag", {"flag": True}, "matched"),
        ("action.arguments.flag", {"flag": "false"}, "error: the condition gives neither true nor false"),
        ("confidence < 0.6", {}, "missing confidence"),
        ("has(bundle.confidence) && confidence < 0.6", {}, None),
        ("has(action.arguments.amount) && action.arguments.amount > 1", {}, None),
        ("!has(subject.id)", {}, "matched"),
        ("has(action.arguments.to.country) && false", {"to": "x"}, "error: action.arguments.to is not an object"),
        ("subject.tier == 'vip'", {}, "missing subject.tier"),
        ("action.server == 'bank'", {}, "missing action.server"),
        ("agent.owner == 'per_1'", {}, "missing agent.owner"),
        ("agent.name == 'ada' && now.getHours() == 9", {}, "matched"),
        ("action.arguments.amount > 100 || action.arguments.country == 'IR'", {"amount": 101}, "matched"),
        ("action.arguments.amount > 100 && action.arguments.country == 'IR'", {"amount": 1}, None),
        ("true", {}, "matched"),
        ("false", {}, None),
    ],
)  # fmt: skip
def test_a_condition_fires_holds_back_or_says_why_it_could_not_be_read(
    ask: Ask, when: str, arguments: dict[str, Any], reason: str | None
) -> None:
    verdict = ask(f'  - {{id: rule, then: escalate, when: "{when}"}}', arguments)

    assert [fired.reason for fired in verdict.fired] == ([reason] if reason else [])
    assert verdict.outcome == ("escalate" if reason else "allow")


@pytest.mark.parametrize(
    ("then", "on_error", "acts"),
    [
        ("allow", "escalate", "escalate"),
        ("allow", "deny", "deny"),
        ("escalate", "escalate", "escalate"),
        ("escalate", "deny", "deny"),
        ("deny", "escalate", "deny"),
    ],
)
def test_a_trigger_that_fails_acts_as_on_error_and_never_more_loosely(
    ask: Ask, then: str, on_error: str, acts: str
) -> None:
    verdict = ask(
        f"  - {{id: rule, then: {then}, when: action.arguments.amount > 1}}",
        {"amount": "x"},
        head=f"defaults: {{on_error: {on_error}}}",
    )

    assert verdict.outcome == acts


def test_an_allow_trigger_without_its_data_does_not_allow(ask: Ask) -> None:
    verdict = ask("  - {id: trusted, then: allow, when: subject.id == 'cus_1'}")

    assert told(verdict) == [("trusted", "escalate", "missing subject.id")]
    assert not verdict.explicitly_allowed


def test_the_strictest_verdict_wins(ask: Ask) -> None:
    triggers = "  - {id: a, then: allow}\n  - {id: d, then: deny}\n  - {id: e, then: escalate}"

    assert ask(triggers).outcome == "deny"
    assert ask(triggers, tool="x").policy_digest == ask(triggers).policy_digest


@pytest.mark.parametrize("unmatched", ["allow", "escalate", "deny"])
def test_the_default_counts_only_where_nothing_fires(ask: Ask, unmatched: str) -> None:
    head = f"defaults: {{unmatched: {unmatched}}}"
    triggers = "  - {id: listed, tools: [get_*], then: allow}"

    assert ask(triggers, head=head).outcome == unmatched
    assert ask(triggers, tool="get_user", head=head).outcome == "allow"
    assert ask(triggers, tool="get_user", head=head).explicitly_allowed


def test_an_allow_list_suppresses_only_what_it_names(ask: Ask) -> None:
    triggers = """
  - {id: reads, tools: [get_*], then: allow, suppresses: [unsure]}
  - {id: unsure, when: confidence < 0.6, then: escalate}
  - {id: vip, when: "subject.tier == 'vip'", then: escalate}
"""
    assert told(ask(triggers, tool="get_user", bundle={"subject": {"tier": "new"}})) == [
        ("reads", "allow", "matched")
    ]
    assert ask(triggers, tool="get_user", bundle={"subject": {"tier": "vip"}}).outcome == "escalate"
    assert ask(triggers, tool="put_user", bundle={"subject": {"tier": "new"}}).outcome == "escalate"


def test_an_allow_list_never_suppresses_an_error(ask: Ask) -> None:
    triggers = """
  - {id: reads, then: allow, suppresses: [large]}
  - {id: large, when: action.arguments.amount > 10, then: escalate}
"""
    assert ask(triggers, {"amount": 11}).outcome == "allow"
    assert told(ask(triggers, {"amount": "11"}))[-1][0] == "large"


def test_escalations_add_up_to_the_strictest_of_each_requirement(ask: Ask) -> None:
    verdict = ask(
        """
  - {id: a, then: escalate, urgency: low, queue: first, require: {approvals: 3}, approve_within: 2h}
  - {id: b, then: escalate, urgency: high, require: {role: supervisor, assurance: client}, approval_valid_for: 5m}
  - {id: c, then: escalate, urgency: normal, queue: second, require: {assurance: session, reason: true}}
  - {id: d, then: escalate, urgency: normal, queue: third, require: {separation: true}, approve_within: 20m}
""",
        head="""queues:
  first: {tiers: [{alert: [role:operator]}]}
  second: {tiers: [{alert: [role:operator]}]}
  third: {tiers: [{alert: [role:operator]}]}
""",
    )

    assert verdict.require == Requirement("supervisor", 3, "session", separation=True, reason=True)
    assert (verdict.queue, verdict.urgency) == ("second", "high")
    assert verdict.approve_within == timedelta(minutes=20)
    assert verdict.approval_valid_for == timedelta(minutes=5)


def test_a_shadow_trigger_is_recorded_and_never_acts(ask: Ask) -> None:
    verdict = ask("  - {id: trial, then: deny, when: action.arguments.x > 1, mode: shadow}", {"x": "y"})

    assert (verdict.outcome, verdict.fired) == ("allow", ())
    assert [fired.trigger for fired in verdict.shadow] == ["trial"]


def test_an_explanation_shows_the_values_and_hides_secrets(ask: Ask) -> None:
    verdict = ask(
        '  - {id: a, then: escalate, explain: "{{action.arguments.amount}} to {{action.arguments.who}} {{action.arguments.key}} {{int(action.arguments.key)}}"}',
        {"amount": 12.5, "key": "AKIAIOSFODNN7EXAMPLE"},
    )

    assert verdict.fired[0].explanation == "12.5 to (not given) “[masked: aws_access_key]” (cannot be shown)"


def test_what_an_agent_wrote_stands_in_quotes_in_an_explanation_and_cannot_end_them(ask: Ask) -> None:
    trigger = "  - {id: a, then: escalate, explain: \"To {{action.arguments.text}}, {{action.arguments.text + '!'}}.\"}"

    verdict = ask(trigger, {"text": "me”. Checked by signoff: “safe"})

    said = 'me". Checked by signoff: "safe'
    assert verdict.fired[0].explanation == f"To “{said}”, “{said}!”."


def test_a_long_explanation_is_cut_with_a_marker(ask: Ask) -> None:
    verdict = ask('  - {id: a, then: escalate, explain: "{{action.arguments.text}}"}', {"text": "x" * 9000})

    assert len(verdict.fired[0].explanation) == 500
    assert verdict.fired[0].explanation.endswith("… [cut, 9002 characters in all]")


@pytest.mark.parametrize(
    ("pattern", "tool", "matches"),
    [
        ("delete_*", "delete_user", True),
        ("delete_*", "Delete_user", False),
        ("delete_*", "undelete_user", False),
        ("*", "", True),
        ("*_user", "delete_user", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("a**c", "ac", True),
        ("a.[b]?*", "a.[b]?", True),
        ("a.[b]?*", "axbz", False),
        ("a*" * 60 + "b", "a" * 200, False),
    ],
)
def test_a_tool_pattern_knows_one_star_and_nothing_else(pattern: str, tool: str, matches: bool) -> None:
    assert Glob(tuple(pattern.split("*"))).matches(tool) is matches


WORST: list[tuple[str, dict[str, Any]]] = [
    ("action.arguments.list.exists(i, i == -1)", {"list": list(range(9_000))}),
    ("action.arguments.list.exists(i, i == -1)", {"list": [0] * 120_000}),
    ("action.arguments.list.map(i, i + 1).size() > 5", {"list": [0] * 201}),
    ("action.arguments.list.exists(i, i.matches('^(a|b)*$'))", {"list": ["x"] * 201}),
    (
        "action.arguments.list.exists(i, action.arguments.s.contains(i))",
        {"list": ["x"] * 2000, "s": "y" * 200_000},
    ),
    ("action.arguments.deep == 1", {"deep": [[[0] * 100] * 100] * 100}),
]


@pytest.mark.parametrize(("when", "arguments"), WORST)
def test_input_made_to_be_slow_is_an_error_and_quick(ask: Ask, when: str, arguments: dict[str, Any]) -> None:
    started = time.perf_counter()

    verdict = ask(f'  - {{id: rule, then: escalate, when: "{when}"}}', arguments)

    assert verdict.fired[0].reason.startswith("error: ")
    assert time.perf_counter() - started < 2


def test_what_no_trigger_reads_costs_nothing(ask: Ask) -> None:
    unreadable = {"state": object(), "messages": [object()]}

    assert (
        ask(
            "  - {id: a, then: deny, when: confidence < 0.1}", bundle={"confidence": 0.5, **unreadable}
        ).outcome
        == "allow"
    )
    assert (
        ask("  - {id: a, then: deny, when: bundle.state == 1}", bundle=unreadable).fired[0].reason
        == "error: a value that is not JSON"
    )


def test_an_empty_turn_of_a_conversation_has_an_empty_text(ask: Ask) -> None:
    rule = """  - {id: a, then: deny, when: 'bundle.messages.exists(m, m.content.contains("sue"))'}"""

    assert ask(rule, bundle={"messages": [{"role": "assistant"}]}).outcome == "allow"
    assert (
        ask(rule, bundle={"messages": [{"role": "assistant"}, {"role": "user", "content": "I sue"}]}).outcome
        == "deny"
    )


class Panic(BaseException):
    """What the engine raises when its Rust code panics: no Exception."""


class PanickingProgram:
    """A program of the engine that panics whenever it runs."""

    def execute(self, context: object) -> object:
        raise Panic


@pytest.mark.parametrize(
    ("then", "acts"), [("allow", "escalate"), ("escalate", "escalate"), ("deny", "deny")]
)
def test_a_panic_in_the_engine_is_an_error_like_any_other(then: str, acts: str) -> None:
    loaded = load_policy(
        f"version: 1\ntriggers: [{{id: a, then: {then}, when: 'confidence < 1.0'}}]", source="p"
    )
    (rule,) = loaded.index.rules
    assert rule.condition is not None
    broken = replace(rule, condition=replace(rule.condition, program=cast(Any, PanickingProgram())))
    index = index_rules((broken,), values=loaded.index.values, presences=loaded.index.presences)
    facts = Facts(
        {"tool": "x", "arguments": {}}, {"confidence": 0.5}, {}, {}, datetime(2026, 1, 1, tzinfo=UTC)
    )

    verdict = evaluate(replace(loaded, index=index), facts)

    assert (verdict.outcome, verdict.fired[0].reason) == (acts, "error: the rule engine failed")


def test_tool_names_that_an_agent_makes_up_do_not_fill_the_memory() -> None:
    loaded = load_policy("version: 1\ntriggers: [{id: a, tools: ['x*'], then: deny}]", source="p")

    plans = {id(loaded.index.plan(f"x{number}")) for number in range(1000)}

    assert len(plans) == 1
    for number in range(5000):
        loaded.index.plan(f"y{number}")
    assert len(loaded.index._plans) <= MAX_PLANS
