"""Canonical bytes: the same as those of the reference implementation, and nothing accepted that has two readings."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.promises import promise

from signoff.domain.action import Action, action_digest
from signoff.domain.canonical import MAX_DEPTH, canonical, check_value, digest, parse_json, sha256
from signoff.domain.errors import InvalidRequest, LimitExceeded

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
NUMBERS = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not 2**53 - 1 < abs(x) < 1e21),
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


@promise("approved-is-what-runs")
@settings(max_examples=300)
@given(JSON)
@example({"\U0001f600": 1, "\ufb33": 2, "a": 3})  # keys sort by UTF-16 units
@example(['\x7f\x1f\u2028\u2029\\"/\b\f\n\r\t'])
@example([1e21, 1e-7, 1e-6, -0.0, 5e-324, 1.7976931348623157e308, 100.0, 333333333.33333329])
@example({"": {"": [[], {}, ""]}})
def test_canonical_bytes_are_those_of_the_reference(value: Any) -> None:
    check_value(value, field="value")
    made = canonical(value)
    assert made == rfc8785.dumps(value)
    assert digest(value) == sha256(made)


@settings(max_examples=300)
@given(JSON)
def test_what_is_accepted_is_accepted_again_after_storing(value: Any) -> None:
    """Otherwise a case could be opened that nobody can look at, or whose action the agent cannot send again."""
    again = parse_json(canonical(value), field="value")
    assert canonical(again) == canonical(value)
    assert parse_json(json.dumps(value), field="value") == value


@given(st.dictionaries(TEXT, NUMBERS, max_size=6), st.randoms())
def test_the_order_of_keys_is_not_part_of_an_action(arguments: dict[str, Any], chance: Any) -> None:
    keys = list(arguments)
    chance.shuffle(keys)
    shuffled = {key: arguments[key] for key in keys}
    assert Action(tool="t", arguments=shuffled).digest == Action(tool="t", arguments=arguments).digest


def test_the_digest_of_an_action_is_the_one_that_the_docs_describe() -> None:
    by_hand = sha256(b'{"arguments":{"amount":12500,"country":"DE"},"server":"bank","tool":"wire"}')
    assert action_digest("wire", {"country": "DE", "amount": 12500}, server="bank") == by_hand
    assert action_digest("wire", {"country": "DE", "amount": 12500}, server=None) != by_hand


@promise("refused-whole")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 1}', "twice"),
        ('{"a": 1, "\\u0061": 2}', "twice"),
        ('{"x": {"b": {}, "b": {}}}', "twice"),
        ("NaN", "NaN"),
        ("[Infinity]", "Infinity"),
        ("[-Infinity]", "Infinity"),
        ("[1e400]", "infinities"),
        ("[-1e400]", "infinities"),
        ("9007199254740992", "±2^53"),
        ("-9007199254740992", "±2^53"),
        ("1e16", "±2^53"),
        ("100000000000000000000", "±2^53"),
        ("9" * 5000, "±2^53"),
        ('"\\ud800"', "surrogate"),
        ('{"\\udc00": 1}', "surrogate"),
        ('"\\u0000"', "NUL"),
        ('{"a\\u0000": 1}', "NUL"),
        ("[" * 65 + "]" * 65, "nesting"),
        ("[" * 100_000, "nesting"),
        ('{"a":' * 100_000, "nesting"),
        ("", "not JSON"),
        ("{'a': 1}", "not JSON"),
        ("[1,]", "not JSON"),
        ("01", "not JSON"),
        ("1 2", "not JSON"),
        ("\ufeff1", "not JSON"),
        ('"a\nb"', "not JSON"),
        (b'"\xff"', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
    ],
)
def test_text_with_two_readings_is_refused_with_its_field(text: str | bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match="field") as refused:
        parse_json(text, field="field")
    assert words in str(refused.value)
    assert refused.value.field.startswith("field")


def test_the_deepest_accepted_value_is_64_levels() -> None:
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH, field="f") is not None
    with pytest.raises(LimitExceeded) as refused:
        parse_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), field="f")
    assert refused.value.limit == "64 levels of nesting"


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1, 0, -0.0, 1e21, 1e300, 0.1])
def test_numbers_within_the_limits_keep_their_value(number: float) -> None:
    again = parse_json(canonical([number]), field="f")
    assert again == [number]
    assert math.copysign(1, again[0]) == 1 or number < 0


@pytest.mark.parametrize("value", [(1, {2}), {1: 2}, b"x", object(), [float("nan")], {"a": [1j]}])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest):
        check_value(value, field="f")


def test_an_error_names_the_member_and_not_its_value() -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_value({"a": [{"b\u202e": "secret-value\x00"}]}, field="bundle.state")
    assert refused.value.field == "bundle.state.a[0].b\\u202e"
    assert "secret-value" not in str(refused.value)
