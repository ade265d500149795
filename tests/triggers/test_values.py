"""The values that a trigger read: told with it, short, and without secrets."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.domain.canonical import canonical
from signoff.domain.verdict import Verdict
from signoff.triggers.fields import path_of, path_text
from signoff.triggers.values import MAX_CHARS, MAX_EXPLAINED, MAX_VALUES, brief, masked_beginning

Ask = Callable[..., Verdict]
TOKEN = "ghp_" + "a" * 36


def values(verdict: Verdict) -> Mapping[str, Any]:
    (fired,) = verdict.fired
    return fired.values


def test_a_trigger_tells_what_it_read_and_nothing_else(ask: Ask) -> None:
    rule = '  - {id: a, when: action.arguments.amount > 100 && subject.tier != "gold", then: escalate}'
    arguments = {"amount": 250, "note": "unread"}

    verdict = ask(rule, arguments, bundle={"subject": {"tier": "new", "id": "c1"}})

    assert values(verdict) == {"action.arguments.amount": 250, "subject.tier": "new"}


def test_a_trigger_without_a_condition_read_nothing(ask: Ask) -> None:
    assert values(ask("  - {id: a, then: escalate}", {"amount": 1})) == {}


def test_a_missing_field_is_left_out_and_the_others_are_told(ask: Ask) -> None:
    rule = "  - {id: a, when: action.arguments.amount > 100 || confidence < 0.5, then: escalate}"

    verdict = ask(rule, {"amount": 1})

    assert verdict.fired[0].reason == "missing confidence"
    assert values(verdict) == {"action.arguments.amount": 1}


def test_what_a_condition_only_asks_for_is_told_as_such(ask: Ask) -> None:
    rule = "  - {id: a, when: '!has(subject.tier) && !has(action.arguments.urgent)', then: escalate}"

    assert values(ask(rule)) == {"has(subject.tier)": False, "has(action.arguments.urgent)": False}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (7, 7),
        (0.25, 0.25),
        (True, True),
        (None, None),
        ("x" * MAX_CHARS, "x" * MAX_CHARS),
        ("x" * 500, "x" * MAX_CHARS + "… [cut, 500 characters in all]"),
        (["email", "iban"], ["email", "iban"]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}}),
        ([0] * 500, "[500 items]"),
        ({"a": "x" * 400}, "[1 field]"),
        (2**60, str(2**60)),
        (float("inf"), "inf"),
        (f"token {TOKEN}", "token [masked: github_token]"),
        ({"key": TOKEN}, {"key": "[masked: github_token]"}),
        (4111111111111111, "[masked: card_number]"),
    ],
)
def test_long_values_are_cut_with_their_size_and_secrets_are_masked(given: Any, shown: Any) -> None:
    assert brief(given) == shown


def test_a_secret_at_the_cut_leaves_no_beginning_of_itself() -> None:
    shown = brief("x " * 50 + TOKEN + " y" * 500)

    assert "ghp_" not in shown
    assert brief("-----BEGIN PRIVATE KEY-----\n" + "QUJD" * 9000).startswith("[masked: private_key]")


def test_a_flood_of_values_or_of_triggers_stays_small(ask: Ask) -> None:
    many = " && ".join(f"action.arguments.a{n} == 1" for n in range(30))
    rule = f'  - {{id: a, when: "{many}", then: escalate}}'
    crowd = "\n".join(f"  - {{id: t{n}, when: action.arguments.a0 == 1, then: escalate}}" for n in range(150))
    arguments = {f"a{n}": 1 for n in range(30)}

    assert len(values(ask(rule, arguments))) == MAX_VALUES
    told = [one.values for one in ask(crowd, arguments).fired]
    assert told == [{"action.arguments.a0": 1}] * MAX_EXPLAINED + [{}] * (150 - MAX_EXPLAINED)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=50) | st.dictionaries(TEXT, inner, max_size=9),
    max_leaves=60,
)


@given(JSON)
def test_whatever_was_read_can_be_stored(value: Any) -> None:
    assert len(canonical(brief(value))) < 6 * (MAX_CHARS + 60)


@given(st.lists(st.text(st.characters(exclude_characters="\"'\\\n"), min_size=1), min_size=1))
def test_a_path_reads_back_as_it_was_written(steps: list[str]) -> None:
    path = ("action", *steps)

    assert path_of(path_text(path)) == path


@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        "4111 1111 1111 1111",
        "AKIAIOSFODNN7EXAMPLE",
        f"eyJ{'a' * 700}.eyJ{'b' * 40}.{'c' * 40}",
        "sk-ant-" + "x" * 900,
    ],
)
def test_wherever_a_text_is_cut_no_part_of_a_secret_is_left(secret: str) -> None:
    text = f"pay with {secret} now"

    for room in range(len(text) + 2):
        assert secret[:6] not in masked_beginning(text, room)
