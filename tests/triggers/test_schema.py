"""The JSON Schema of a policy and the loader agree."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from signoff.domain.policy import Policy
from signoff.triggers.document import read_document
from signoff.triggers.load import LoadedPolicy, examine_policy
from signoff.triggers.schema import policy_schema
from signoff.triggers.signals.kinds import KINDS
from signoff.triggers.starters import STARTERS, starter_policy

SCHEMA = policy_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLES = [
    path
    for path in sorted((Path(__file__).parents[2] / "examples").rglob("*.yaml"))
    if not path.name.endswith(".tests.yaml")
]

NAMES = st.sampled_from(["a", "b-1", "C.d", "ünï", "", "-x", "a b", "x" * 101])
DURATIONS = st.sampled_from(["30m", "1s", "0s", "00m", "7d", "90", "1h30m", "\u0663\u0660m"])
ROLES = st.sampled_from(["operator", "supervisor", "auditor", "admin", "boss"])
TARGETS = st.sampled_from(["role:operator", "role:boss", "person:dana", "person: x", "person:", "person:d d"])
PATHS = st.sampled_from(
    ["bundle.subject.iban", "bundle.messages[*].content", "action.arguments", "action.arguments.a", "action.tool",
     "action.arguments[*].a", "bundle", "bundle.*", "bundle.a b", "bundle.*[*][*].x", "state.x"]
)  # fmt: skip
TEXTS = st.sampled_from(["confidence < 0.5", "true", "x", "", " ", "a\nb", "x" * 201, "has(subject.tier)"])
SIGNALS = st.sampled_from(
    [{"minutes_left": "bundle.state.due_at"}, {"minutes_left": "nowhere.x"}, {"minutes_left": 7}, {}, 3,
     {"sum": "action.arguments.amount", "over": "24h", "of": "refund_*", "by": "bundle.subject.id"},
     {"count": True, "over": "10m", "of": "same_action", "by": "session"}, {"count": False, "over": "10m"},
     {"count": True}, {"rate": "minute", "over": "1h"}, {"rate": "year", "over": "1h"},
     {"distinct": "bundle.subject.id", "over": "1d", "of": ["a", "b"]}, {"new_tool": True, "over": "30d"},
     {"failures": True, "over": "1h", "by": "everyone", "counts": "asked"}, {"denials": True, "over": "91d"}]
)  # fmt: skip


TRIGGERS = st.fixed_dictionaries(
    {"id": NAMES, "then": st.sampled_from(["allow", "escalate", "deny", "ask"])},
    optional={
        "title": TEXTS | st.none(),
        "category": st.sampled_from(["value", "sla", "money"]),
        "tools": st.lists(st.sampled_from(["a", "get_*", "", "x" * 201]), max_size=3) | st.none(),
        "when": st.sampled_from(["confidence < 0.5", "action.tool == 'x'", "", True, 5, None]),
        "queue": NAMES,
        "urgency": st.sampled_from(["low", "critical", "now"]),
        "require": st.fixed_dictionaries(
            {},
            optional={
                "role": ROLES,
                "approvals": st.sampled_from([1, 10, 0, 11, "2", True, 1.5]),
                "assurance": st.sampled_from(["link", "passkey", "none"]),
                "separation": st.sampled_from([True, False, "yes", 1]),
                "reason": st.booleans(),
            },
        ),
        "explain": st.sampled_from(["x", "{{action.tool}}", "", "x" * 2001]),
        "mode": st.sampled_from(["enforce", "shadow", "off"]),
        "approve_within": DURATIONS,
        "approval_valid_for": DURATIONS | st.none(),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"version": st.sampled_from([1, 1, 1, 1, 2, "1", True])},
    optional={
        "defaults": st.fixed_dictionaries(
            {},
            optional={
                "unmatched": st.sampled_from(["allow", "deny", "ask"]),
                "on_error": st.sampled_from(["escalate", "allow"]),
                "approve_within": DURATIONS,
                "on_deadline": st.sampled_from(["expire", "next_tier"]),
            },
        ),
        "masks": st.lists(
            st.fixed_dictionaries({"path": PATHS}, optional={"hide_from": st.lists(ROLES, max_size=2)}),
            max_size=2,
        ),
        "queues": st.dictionaries(
            NAMES,
            st.fixed_dictionaries(
                {},
                optional={
                    "tiers": st.lists(
                        st.fixed_dictionaries({"alert": st.lists(TARGETS, max_size=2)}), max_size=1
                    )
                },
            ),
            max_size=2,
        ),
        "signals": st.dictionaries(NAMES, SIGNALS, max_size=2),
        "triggers": st.lists(TRIGGERS, max_size=2),
        "extra": st.just(1),
    },
)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {f"signal-{name}" for name in KINDS} <= set(SCHEMA["$defs"])


def test_an_editor_is_told_what_every_key_of_a_trigger_is_for() -> None:
    properties = SCHEMA["$defs"]["Trigger"]["properties"]

    assert [key for key, said in properties.items() if "description" not in said and key != "urgency"] == []


@given(DOCUMENTS)
def test_whatever_the_loader_accepts_the_schema_accepts(document: dict[str, Any]) -> None:
    if isinstance(examine_policy(json.dumps(document), source="policy.yaml"), LoadedPolicy):
        assert [error.message for error in VALIDATOR.iter_errors(document)] == []


@given(DOCUMENTS)
def test_whatever_the_models_refuse_the_schema_refuses(document: dict[str, Any]) -> None:
    with suppress(ValidationError):
        Policy.model_validate(_with_text_conditions(document))
        return
    assert list(VALIDATOR.iter_errors(document))


def _with_text_conditions(document: dict[str, Any]) -> dict[str, Any]:
    """Give `when: true` back its text, as the loader does."""
    triggers = [
        {**one, "when": "true"} if isinstance(one.get("when"), bool) else one
        for one in document.get("triggers", [])
    ]
    return {**document, "triggers": triggers}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_validate(path: Path) -> None:
    # Not yaml.safe_load: YAML 1.2, which editors read, knows no dates, and a holiday is text.
    document = read_document(path.read_text(encoding="utf-8"))
    assert list(VALIDATOR.iter_errors(document.value)) == []


@pytest.mark.parametrize("name", STARTERS)
def test_the_starter_policies_validate(name: str) -> None:
    assert list(VALIDATOR.iter_errors(read_document(starter_policy(name)).value)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"version": 2},
        {"version": 1, "trigger": []},
        {"version": 1, "triggers": [{"id": "a"}]},
        {"version": 1, "triggers": [{"id": "a", "then": "esclate"}]},
        {"version": 1, "triggers": [{"id": "a b", "then": "deny"}]},
        {"version": 1, "triggers": [{"id": "a", "then": "deny", "tools": []}]},
        {"version": 1, "triggers": [{"id": "a", "then": "deny", "tools": "x"}]},
        {"version": 1, "triggers": [{"id": "a", "then": "escalate", "require": {"approvals": 11}}]},
        {"version": 1, "triggers": [{"id": "a", "then": "escalate", "require": {"role": "auditor"}}]},
        {"version": 1, "triggers": [{"id": "a", "then": "escalate", "approve_within": "0m"}]},
        {"version": 1, "triggers": [{"id": "a", "then": "escalate", "approve_within": 30}]},
        {"version": 1, "defaults": {"on_error": "allow"}},
        {"version": 1, "defaults": {"on_deadline": "next_tier"}},
        {"version": 1, "masks": [{"path": "action.tool", "hide_from": ["operator"]}]},
        {"version": 1, "masks": [{"path": "bundle.subject", "hide_from": []}]},
        {"version": 1, "queues": {"q": {"tiers": [{"alert": ["role:boss"]}]}}},
        {"version": 1, "queues": {"q q": {"tiers": [{"alert": ["role:operator"]}]}}},
        {"version": 1, "signals": {"s": {"minuts_left": "bundle.state.x"}}},
        {"version": 1, "signals": {"s": {"minutes_left": "bundle.state.x", "ofer": 1}}},
        {"version": 1, "signals": {"s": {"minutes_left": "bndle.state.x"}}},
        {"version": 1, "signals": {"s": {"count": True}}},
        {"version": 1, "signals": {"s": {"rate": "year", "over": "1h"}}},
    ],
    ids=str,
)
def test_what_the_loader_refuses_for_its_form_the_schema_refuses_too(wrong: dict[str, Any]) -> None:
    assert isinstance(examine_policy(json.dumps(wrong), source="policy.yaml"), list)
    assert list(VALIDATOR.iter_errors(wrong))
