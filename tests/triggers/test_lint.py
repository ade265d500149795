"""What a policy that loads probably does not mean."""

import pytest

from signoff.triggers.lint import lint
from signoff.triggers.load import load_policy

QUIET = """\
version: 1
queues:
  payments: {tiers: [{alert: [role:operator]}]}
signals:
  left: {minutes_left: bundle.state.due_at}
triggers:
  - {id: soon, when: has(signals.left) && signals.left < 15, then: escalate, queue: payments}
  - {id: large, tools: ["pay_*"], when: action.arguments.amount > 100, then: escalate}
  - {id: reads, tools: ["get_*"], then: allow, suppresses: [soon]}
"""


def remarks(text: str, level: str = "warning") -> list[str]:
    found = lint(load_policy(text, source="policy.yaml"))
    return [f"{one.line}:{one.column}: {one.message}" for one in found if one.level == level]


def test_a_policy_that_means_what_it_says_has_no_remarks() -> None:
    assert lint(load_policy(QUIET, source="policy.yaml")) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("action.arguments.amount > 100", "1 > 2"), "8:41: never fires: the condition is always false"),
        (("queue: payments}", "then: escalate}".replace("then: escalate", "urgency: high")), "3:3: no trigger sends a case to the queue 'payments'"),
        (("has(signals.left) && signals.left < 15", "action.arguments.a == 1"), "5:3: no trigger reads signals.left"),
        (('tools: ["pay_*"]', 'tools: ["pay_*", pay_now]'), "8:34: 'pay_now' adds nothing: 'pay_*' matches it too"),
        (('tools: ["pay_*"]', "tools: [a, b, a]"), "8:31: 'a' adds nothing: 'a' matches it too"),
        (('tools: ["pay_*"]', "tools: [get_rich]"), None),
        (("suppresses: [soon]", "suppresses: [soon, large]"), None),
        (('tools: ["get_*"], then: allow, suppresses: [soon]', 'tools: ["*"], when: confidence > 0.9, then: allow, suppresses: [soon, large]'), "9:80: suppresses every trigger that could stop an action"),
        (('tools: ["get_*"], then: allow', "then: allow"), "9:10: 'reads' allows every action: nobody is asked unless another trigger fires, not even where the agent asks for a person"),
        (('tools: ["get_*"], then: allow', 'tools: ["*"], then: allow'), "7:10: 'soon' never counts: 'reads' suppresses it for every tool that it is about"),
        (("100, then: escalate", "100, then: deny, require: {reason: true}"), "8:93: require has no effect: an action that is denied is put to nobody"),
    ],
)  # fmt: skip
def test_a_rule_without_effect_or_with_far_too_much_is_warned_of(
    change: tuple[str, str], expected: str | None
) -> None:
    found = remarks(QUIET.replace(*change))

    assert (expected in found) if expected else (found == []), found


def test_a_rule_that_another_one_always_suppresses_never_counts() -> None:
    text = QUIET.replace("suppresses: [soon]", "suppresses: [large]").replace('"pay_*"', '"get_paid*"')

    assert remarks(text) == [
        "8:10: 'large' never counts: 'reads' suppresses it for every tool that it is about"
    ]
    assert remarks(text.replace('"get_paid*"', '"get_paid*", pay')) == []
    assert remarks(text.replace("then: allow,", "then: allow, mode: shadow,")) == []


def test_a_field_that_an_agent_need_not_send_is_noted_where_nothing_asks_for_it() -> None:
    text = QUIET.replace("action.arguments.amount > 100", "confidence < 0.5 && subject.tier == 'x'")

    assert remarks(text, "note") == [
        "8:41: fires as 'missing confidence' where the agent does not send it; write has(bundle.confidence) && …"
        " if it should not",
        "8:41: fires as 'missing subject.tier' where the agent does not send it; write has(subject.tier) && …"
        " if it should not",
    ]
    assert (
        remarks(
            text.replace(
                "confidence < 0.5", "has(bundle.subject) && has(bundle.confidence) && confidence < 0.5"
            ),
            "note",
        )
        == []
    )
