"""Conversations as agents' frameworks write them, in one form."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signoff.domain.action import Action
from signoff.domain.bundle import Material, checked_json, read_material
from signoff.domain.errors import InvalidRequest

CALL = {"id": "c1", "type": "function", "function": {"name": "pay", "arguments": '{"amount": 5}'}}
SHAPES: dict[str, tuple[list[Any], list[Any]]] = {
    "plain": (
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello", "name": "bot"}],
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello", "name": "bot"}],
    ),
    "openai": (
        [
            {"role": "developer", "content": [{"type": "input_text", "text": "be kind"}]},
            {
                "role": "assistant", "content": None, "tool_calls": [CALL],
                "refusal": None, "annotations": [], "audio": None, "function_call": None,
            },
            {"role": "tool", "content": "done", "tool_call_id": "c1"},
        ],
        [
            {"role": "developer", "content": "be kind"},
            {"role": "assistant", "tool_calls": [{"id": "c1", "tool": "pay", "arguments": {"amount": 5}}]},
            {"role": "tool", "content": "done", "tool_call_id": "c1"},
        ],
    ),
    "openai of old": (
        [{"role": "assistant", "content": None, "function_call": {"name": "pay", "arguments": '{"amount":5}'}}],
        [{"role": "assistant", "tool_calls": [{"tool": "pay", "arguments": {"amount": 5}}]}],
    ),
    "openai refusal": (
        [{"role": "assistant", "content": "Sorry.", "refusal": "I cannot."}],
        [{"role": "assistant", "content": "Sorry.\nI cannot."}],
    ),
    "anthropic": (
        [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm"},
                    {"type": "tool_use", "id": "t1", "name": "pay", "input": {"amount": 5}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result", "tool_use_id": "t2",
                        "content": [{"type": "text", "text": "x"}, {"type": "image", "source": {}}, "y"],
                    },
                    {"type": "text", "text": "and now?"},
                ],
            },
        ],
        [
            {"role": "user", "content": "a\nb"},
            {"role": "assistant", "content": "hm", "tool_calls": [{"id": "t1", "tool": "pay", "arguments": {"amount": 5}}]},
            {"role": "tool", "content": "ok", "tool_call_id": "t1"},
            {"role": "tool", "content": "x\n[image not kept]\ny", "tool_call_id": "t2"},
            {"role": "user", "content": "and now?"},
        ],
    ),
    "broken arguments stay text": (
        [{"role": "assistant", "tool_calls": [{"function": {"name": "pay", "arguments": text}}]} for text in (
            "{amount: 5", '{"a": 1, "a": 2}', '{"a": NaN}', "[" * 5000,
        )],
        [{"role": "assistant", "tool_calls": [{"tool": "pay", "arguments": text}]} for text in (
            "{amount: 5", '{"a": 1, "a": 2}', '{"a": NaN}', "[" * 5000,
        )],
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_conversation_is_read_in_one_form(shape: str) -> None:
    given, wanted = SHAPES[shape]
    made = read_material({"messages": given}).as_json()["messages"]
    assert made == wanted
    assert read_material({"messages": made}).as_json()["messages"] == wanted  # our own form is a form, too


@pytest.mark.parametrize(
    "message",
    [
        {"role": "robot", "content": "x"},
        {"content": "x"},
        "text",
        5,
        None,
        {"role": "user", "content": {"type": "text"}},
        {"role": "user", "content": [5]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
        {"role": "user", "content": "x", "secret_field": 1},
        {"role": "assistant", "audio": {"id": "a"}},
        {"role": "assistant", "tool_calls": "pay"},
        {"role": "assistant", "tool_calls": ["pay"]},
        {"role": "assistant", "tool_calls": [{"tool": 5}]},
        {"role": "assistant", "function_call": "pay"},
        {"role": "user", "name": "x" * 201},
    ],
)
def test_what_cannot_be_taken_whole_is_refused(message: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_material({"messages": [{"role": "user", "content": "fine"}, message]})
    assert refused.value.field.startswith("bundle.messages")


def test_nothing_that_was_sent_is_left_out() -> None:
    given: dict[str, Any] = {
        "reasoning": [
            {"kind": "tool_result", "result": {"a": None, "b": [1, 2.5]}, "is_error": False, "ms": 0.5}
        ],
        "state": {"empty": {}, "null": None, "list": []},
        "subject": {"id": "c-1", "vip": True, "extra": {"a": 1}},
        "confidence": 0.0,
        "confidence_source": "logprob",
        "alternatives": [{"tool": "wait", "why_not": "too late"}],
        "risk": {"reversible": False, "blast_radius": "one customer", "more": 1},
        "attachments": [{"name": "n", "media_type": "text/plain", "data": ""}],
        "wants_human": "The customer threatens to sue.",
        "session_id": "chat-7",
    }
    assert read_material(given).as_json() == given


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["\x00", "\ud800", "a" * 40_000, 2**53, 1e17, math.nan]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(
            st.text(st.characters(), max_size=5) | st.just("k\x00") | st.just("n"), inner, max_size=4
        )
    ),
    max_leaves=12,
)
TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": st.text(max_size=9)},
        optional={
            "tool_calls": st.lists(
                st.fixed_dictionaries({"tool": st.just("t"), "arguments": VALUES}), max_size=2
            )
        },
    ),
    max_size=3,
)
ASKS = st.fixed_dictionaries(
    {},
    optional={
        "state": VALUES,
        "messages": TURNS,
        "subject": st.dictionaries(
            st.sampled_from(["id", "tier", "vip", "n\x00"]), st.none() | st.text(max_size=5)
        ),
        "reasoning": st.lists(st.fixed_dictionaries({"kind": st.just("note"), "result": VALUES}), max_size=3),
        "confidence": st.floats(0, 1) | st.none(),
        "alternatives": st.lists(st.just({"tool": "t"}), max_size=2),
    },
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), ASKS)
@example({"n": (1,)}, {})
@example({}, {"state": ({"a": None},), "subject": {"vip": None}})
@example({}, {"subject": {"n\x00": None}})
@example({}, {"messages": [{"role": "user", "content": ""}]})
def test_whoever_asks_is_read_the_same_whichever_way_their_ask_is_checked(
    arguments: dict[str, Any], around: dict[str, Any]
) -> None:
    """Small asks that are in order are gone through once; everything else step by step, which says what is wrong."""
    action, material = Action(tool="t", arguments=arguments), Material.model_validate(around)

    def at_once() -> Any:
        what, bundle, size_bytes = checked_json(action, material)
        assert size_bytes == len(orjson.dumps((what, bundle)))
        return what, bundle

    def step_by_step() -> Any:
        made = action.checked().as_json()
        return made, material.checked().as_json()

    assert _outcome(at_once) == _outcome(step_by_step)


def _outcome(read: Any) -> tuple[str, str]:
    try:
        return "read", repr(read())  # tells lists from tuples, and 1 from 1.0
    except InvalidRequest as error:
        return error.code, error.message


@pytest.mark.parametrize("field", ["reasoning", "messages"])
def test_many_small_steps_are_refused_though_together_they_are_small(field: str) -> None:
    one = {"kind": "note"} if field == "reasoning" else {"role": "user", "content": ""}
    material = Material.model_validate({field: [one] * 2001})
    with pytest.raises(InvalidRequest, match="2001"):
        checked_json(Action(tool="t"), material)


def test_a_name_that_is_no_text_is_refused_though_nothing_stands_under_it() -> None:
    with pytest.raises(InvalidRequest, match="NUL"):
        read_material({"subject": {"vip\x00": None}})
