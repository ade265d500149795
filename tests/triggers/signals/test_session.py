"""How long a session is, and whether the agent runs in circles."""

from collections.abc import Callable
from typing import Any

import pytest

from signoff.domain.verdict import Verdict

Signal = Callable[..., Any]


def step(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"kind": "tool_call", "tool": tool, "arguments": arguments}


def turn(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": list(calls)}


def failed(text: str | None = None, result: Any = None) -> dict[str, Any]:
    return {"kind": "tool_result", "text": text, "result": result, "is_error": True}


BOTH = {
    "reasoning": [{"kind": "thought", "text": "hm"}, step("look", id=1), step("look", id=2)],
    "messages": [
        {"role": "user", "content": "hi"},
        turn({"tool": "look", "arguments": {"id": 1}}, {"tool": "list", "arguments": {}}, {"tool": "ask"}),
    ],
}


@pytest.mark.parametrize(
    ("what", "bundle", "expected"),
    [
        ("steps", BOTH, 3),
        ("messages", BOTH, 2),
        ("tool_calls", BOTH, 3),
        ("tools", BOTH, 3),
        ("tools", {"reasoning": BOTH["reasoning"]}, 1),
        ("tool_calls", {"messages": [{"role": "user", "content": "hi"}]}, 0),
        ("steps", {"messages": BOTH["messages"]}, None),
        ("messages", {"reasoning": BOTH["reasoning"]}, None),
        ("tools", {}, None),
    ],
)
def test_a_session_is_as_long_as_its_bundle_shows(
    signal: Signal, what: str, bundle: dict[str, Any], expected: int | None
) -> None:
    assert signal(f"{{session_length: {what}}}", bundle=bundle) == expected


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        ({"reasoning": [step("refund", cents=5)] * 3}, 3),
        ({"reasoning": [step("refund", cents=6), step("look", cents=5)]}, 0),
        ({"reasoning": [step("mcp__shop__refund", cents=5), step("shop.refund", cents=5)]}, 2),
        ({"reasoning": [step("norefund", cents=5)]}, 0),
        ({"messages": [turn({"tool": "refund", "arguments": {"cents": 5}})]}, 1),
        (
            {
                "reasoning": [step("refund", cents=5)] * 2,
                "messages": [turn({"tool": "refund", "arguments": {"cents": 5}})] * 3,
            },
            3,
        ),
        ({"reasoning": [{"kind": "note", "tool": "refund", "arguments": {"cents": 5}}]}, 0),
        ({}, None),
    ],
)
def test_a_call_made_before_is_counted(signal: Signal, bundle: dict[str, Any], expected: int | None) -> None:
    assert signal("{repeated_calls: true}", {"cents": 5}, bundle=bundle) == expected


def test_a_call_without_arguments_is_the_same_as_one_with_none(signal: Signal) -> None:
    bundle = {"reasoning": [{"kind": "tool_call", "tool": "refund"}, step("refund")]}

    assert signal("{repeated_calls: true}", bundle=bundle) == 2


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        ({"reasoning": [failed("Timeout after 30 s"), failed("timeout  after 31 s"), failed("Not found")]}, 2),
        ({"reasoning": [failed("No user 8f14e45f-ceea-467f-a8c4-0123456789ab"),
                        failed("No user 1f14e45f-ceea-467f-a8c4-0123456789ab")]}, 2),
        ({"reasoning": [failed(result={"code": 404, "why": "gone"}), failed(result={"code": 404, "why": "gone"})]}, 2),
        ({"reasoning": [{"kind": "tool_result", "text": "Error"}] * 3}, 0),
        ({"messages": [{"role": "tool", "content": "Error: user 1 not found"},
                       {"role": "tool", "content": "Error: user 2 not found"},
                       {"role": "user", "content": "Error: user 3 not found"},
                       {"role": "tool", "content": "Found no errors"}]}, 2),
        ({"messages": [{"role": "tool", "content": '{"error": "x"}'}] * 2}, 2),
        ({"messages": [{"role": "tool", "content": "Traceback (most recent call last):\n  x"}]}, 1),
        ({"messages": [{"role": "tool", "content": "requests.exceptions.ConnectionError: x"}]}, 1),
        ({"reasoning": [failed(), failed()]}, 2),
        ({"messages": [{"role": "user", "content": "hi"}]}, 0),
        ({}, None),
    ],
)  # fmt: skip
def test_the_same_error_again_is_counted_whatever_its_numbers(
    signal: Signal, bundle: dict[str, Any], expected: int | None
) -> None:
    assert signal("{repeated_errors: true}", bundle=bundle) == expected


def test_a_rule_asks_a_person_when_the_agent_wants_one_or_only_trusts_itself(
    ask: Callable[..., Verdict],
) -> None:
    rules = """\
  - {id: wants, when: has(bundle.wants_human), then: escalate, explain: "{{bundle.wants_human}}"}
  - {id: unsure, when: has(bundle.confidence) && confidence_source == "self_report" && confidence < 0.8, then: escalate}
  - {id: long, when: 'has(bundle.confidence) && bundle.confidence_source == "self_report" && confidence < 0.8', then: escalate}
"""

    wants = ask(rules, bundle={"wants_human": "The customer cries.", "session_id": "s-1"})
    own = ask(rules, bundle={"confidence": 0.7, "confidence_source": "self_report"})
    counted = ask(rules, bundle={"confidence": 0.7, "confidence_source": "logprob"})
    silent = ask(rules, bundle={"confidence": 0.7})
    sure = ask(rules, bundle={"confidence": 0.9, "confidence_source": "self_report"})

    assert [(one.trigger, one.explanation) for one in wants.fired] == [("wants", "“The customer cries.”")]
    assert [one.trigger for one in own.fired] == ["unsure", "long"]
    assert (counted.outcome, sure.outcome) == ("allow", "allow")
    assert [one.reason for one in silent.fired] == [
        "missing confidence_source",
        "missing bundle.confidence_source",
    ]
