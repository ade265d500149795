import hashlib
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.domain.bundle import Material
from signoff.domain.errors import PolicyInvalid
from signoff.triggers.fields import FIELDS
from signoff.triggers.load import MAX_TRIGGERS, load_policy

DESIGN = textwrap.dedent("""\
    version: 1
    defaults:
      unmatched: allow            # allow | escalate | deny   (what no trigger matches)
      on_error: escalate          # a trigger that fails to evaluate counts as fired
      approve_within: 30m
      on_deadline: expire         # or next_tier
      approval_valid_for: 10m
    masks:                        # who sees what
      - path: bundle.subject.iban
        hide_from: [operator, auditor]
    queues:
      payments:
        tiers:
          - alert: [role:operator]
          - after: 10m
            alert: [role:supervisor, person:dana]
    triggers:
      - id: large-wire
        title: Wire above 10,000
        category: value
        tools: [wire_transfer]
        when: action.arguments.amount > 10000 || action.arguments.country in ["IR", "KP"]
        then: escalate            # allow | escalate | deny
        queue: payments
        urgency: high             # low | normal | high | critical
        require: {role: supervisor, approvals: 2, assurance: session}
        explain: "{{action.arguments.amount}} to {{action.arguments.country}}"
        mode: enforce             # enforce | shadow (evaluated and recorded, never acts)
      - {id: unsure, category: uncertainty, when: confidence < 0.6, then: escalate}
      - {id: delete-user-data, category: regulatory, tools: ["delete_*"], then: escalate, require: {role: supervisor}}
    """)


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(text, source="policy.yaml")
    assert caught.value.code == "policy_error"
    return caught.value.problems


def test_the_policy_of_the_design_loads_as_it_stands() -> None:
    loaded = load_policy(DESIGN, source="policy.yaml")

    assert [trigger.id for trigger in loaded.policy.triggers] == ["large-wire", "unsure", "delete-user-data"]
    assert loaded.text == DESIGN
    assert loaded.digest == "sha256:" + hashlib.sha256(DESIGN.encode()).hexdigest()


def test_the_fields_that_expressions_know_are_those_of_the_bundle() -> None:
    assert set(FIELDS["bundle"]) == set(Material.model_fields)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("confidence < 0.6", "confidnce < 0.6"), "29:47: triggers[1].when: unknown name 'confidnce' - did you mean 'confidence'?"),
        (("arguments.amount > 10000", "argumnets.amount > 10000"), "22:11: triggers[0].when: action has no field 'argumnets' - did you mean 'arguments'?"),
        (("queue: payments", "queue: payment"), "24:12: triggers[0].queue: no queue 'payment' under queues: - did you mean 'payments'?"),
        (("then: escalate            #", "then: esclate #"), "23:11: triggers[0].then: 'esclate' is not one of allow, escalate, deny - did you mean 'escalate'?"),
        (("mode: enforce", "mod: enforce"), "28:5: triggers[0].mod: unknown key - did you mean 'mode'?"),
        (("id: unsure", "id: large-wire"), "29:10: triggers[1].id: the id 'large-wire' is already used on line 18"),
        (("id: unsure, ", ""), "29:5: triggers[1]: 'id' is missing"),
        (("version: 1", "version: 2"), "1:10: version: this signoff reads version 1"),
        (("version: 1", "version: true"), "1:10: version: this signoff reads version 1"),
        (("30m", "30"), "5:19: defaults.approve_within: write a duration"),
        (("30m", "999999999d"), "5:19: defaults.approve_within: longer than 365 days"),
        (("on_error: escalate", "on_error: allow"), "4:13: defaults.on_error: 'allow' is not one of escalate, deny"),
        (("role:operator", "role:operatr"), "14:17: queues.payments.tiers[0].alert[0]: there is no role 'operatr'"),
        (("approvals: 2", "approvals: true"), "26:44: triggers[0].require.approvals: must be a whole number"),
        (("role: supervisor, approvals", "role: auditor, approvals"), "26:21: triggers[0].require.role: 'auditor' is not one of operator, supervisor"),
        (("confidence < 0.6", "1 + 1"), "29:47: triggers[1].when: reads nothing and gives neither true nor false"),
        (("confidence < 0.6", "'confidence < \"0.6\"'"), "29:61: triggers[1].when: confidence is a number and cannot be compared with text"),
        (("confidence < 0.6", "confidence < 0.6 and true"), "29:64: triggers[1].when: not CEL: mismatched input 'and'; CEL writes && for 'and'"),
        (("confidence < 0.6", "has(confidence)"), "has() takes a field after a dot; write has(bundle.confidence)"),
        (("confidence < 0.6", "signals.mood < 0.5"), "29:47: triggers[1].when: no signals are declared under signals:"),
        (("confidence < 0.6", "sizee(bundle.messages) > 3"), "unknown function 'sizee' - did you mean 'size'?"),
        (("{{action.arguments.country}}", "{{subject.iban}}"), "27:14: triggers[0].explain: shows subject.iban, which the mask bundle.subject.iban hides"),
        (("{{action.arguments.country}}", "{{action.arguments.country"), "27:14: triggers[0].explain: {{ and }} do not pair up"),
        (("masks:", "signals: {mood: {sentimnt: last_user_message}}\nmasks:"), "8:11: signals.mood: there is no kind of signal 'sentimnt'"),
        (("- after: 10m\n        alert:", "- alert:"), "15:9: queues.payments.tiers[1]: 'after' is missing"),
        (("mode: enforce", "suppresses: [unsure]"), "28:17: triggers[0].suppresses: only a trigger with 'then: allow' suppresses"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_column(change: tuple[str, str], expected: str) -> None:
    found = problems(DESIGN.replace(*change))

    assert any(expected in problem for problem in found), found
    assert all(problem.startswith("policy.yaml:") for problem in found)


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        ("no", "write true or false, or quote it"),
        ("Yes", "write true or false, or quote it"),
        ("on", "write true or false, or quote it"),
        ("TRUE", "write true or false, or quote it"),
        ("010000", "write it in plain decimals, or quote it"),
        ("12:30:00", "write it in plain decimals, or quote it"),
        ("0x1F", "write it in plain decimals, or quote it"),
        ("1_000", "write it in plain decimals, or quote it"),
        ("1e3", "write it in plain decimals, or quote it"),
        (".inf", "write it in plain decimals, or quote it"),
        ("!!python/name:os.system x", "a tag"),
        ("&anchor x", "an anchor"),
        ("*anchor", "an alias"),
        ("7", 'must be text: put it in quotes, "7"'),
    ],
)
def test_a_scalar_that_readers_take_differently_is_refused(scalar: str, expected: str) -> None:
    (first, *_) = problems(f"version: 1\ntriggers:\n  - id: a\n    then: deny\n    title: {scalar}\n")

    assert first.startswith("policy.yaml:5:12: ")
    assert expected in first


@pytest.mark.parametrize("scalar", ["2024-01-01", "30m", "1.2.3", '"no"', "'010'", "a: b".replace(": ", ":")])
def test_everything_else_stays_the_text_that_was_written(scalar: str) -> None:
    loaded = load_policy(f"version: 1\ntriggers: [{{id: a, then: deny, title: {scalar}}}]", source="p")

    assert loaded.policy.triggers[0].title == scalar.strip("\"'")


def test_duplicate_keys_are_refused_with_both_lines() -> None:
    found = problems("version: 1\ntriggers:\n  - id: a\n    then: deny\n    then: allow\n")

    assert found == ["policy.yaml:5:5: the key 'then' appears twice; the first is on line 4"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = DESIGN.replace("confidence <", "confidnce <").replace("mode:", "mod:").replace("30m", "soon")

    assert [problem.split(":")[1] for problem in problems(text)] == ["5", "28", "29"]


def test_a_mistake_in_a_block_of_lines_is_found_on_its_own_line() -> None:
    found = problems(
        'version: 1\ntriggers:\n  - id: a\n    then: deny\n    when: |\n      action.tool == "x" ||\n        nope > 1\n'
    )

    assert found[0].startswith("policy.yaml:7:9: triggers[0].when: unknown name 'nope'")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "just text", "version: 1\n---\nversion: 1\n", "a: [", "{" * 5000, "[" * 40_000, "a: \x00", "\ud800", "? [a]\n: b", "\tversion: 1"],
)  # fmt: skip
def test_what_is_no_policy_is_refused_with_a_position(text: str) -> None:
    assert all(problem.startswith("policy.yaml:") for problem in problems(text))


def test_a_policy_over_its_limits_is_refused() -> None:
    assert "at most 262144" in problems("version: 1 #" + "x" * 262_144)[0]
    assert str(MAX_TRIGGERS) in problems("version: 1\ntriggers: [" + "{id: a}," * (MAX_TRIGGERS + 1) + "]")[0]


def test_thousands_of_triggers_for_their_own_tools_load() -> None:
    rows = "".join(f"- {{id: t{n}, tools: [a{n}], then: deny}}\n" for n in range(6_000))

    assert len(load_policy("version: 1\ntriggers:\n" + rows, source="p").index.rules) == 6_000


def problems_of(text: str) -> list[str]:
    """Return a text's problems, none where it loads; anything but PolicyInvalid is a failure."""
    try:
        load_policy(text, source="p")
    except PolicyInvalid as error:
        return error.problems
    return []


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    assert all(problem.startswith("p:") for problem in problems_of(text))


@given(st.integers(0, len(DESIGN)), st.sampled_from("{}[]:&*!|>'\"%@`#,- \n\t0"), st.integers(0, 3))
def test_a_damaged_policy_loads_or_says_where(at: int, character: str, cut: int) -> None:
    damaged = DESIGN[:at] + character + DESIGN[at + cut :]

    assert all(problem.startswith("p:") for problem in problems_of(damaged))


def test_a_mask_hides_only_from_people_all_of_whose_roles_it_names() -> None:
    policy = load_policy(DESIGN, source="p").policy

    assert [mask.parts for mask in policy.masks_for(["operator"])] == [("bundle", "subject", "iban")]
    assert policy.masks_for(["operator", "supervisor"]) == ()
    assert len(policy.masks_for([])) == 1


def test_a_mask_may_name_every_item_of_a_list() -> None:
    policy = load_policy(
        'version: 1\nmasks: [{path: "bundle.messages[*].content", hide_from: [auditor]}]', source="p"
    ).policy

    assert policy.masks[0].parts == ("bundle", "messages", "*", "content")
    assert (
        "starting with action. or bundle."
        in problems("version: 1\nmasks: [{path: subject, hide_from: [auditor]}]")[0]
    )
    assert (
        "only action.arguments"
        in problems("version: 1\nmasks: [{path: action.tool, hide_from: [auditor]}]")[0]
    )


def test_the_default_queue_alerts_every_operator_unless_the_policy_says_otherwise() -> None:
    plain = load_policy("version: 1", source="p").policy
    own = load_policy(
        "version: 1\nqueues: {default: {tiers: [{alert: [role:supervisor]}]}}", source="p"
    ).policy

    assert plain.queue_named("default").tiers[0].alert == ("role:operator",)
    assert own.queue_named("default").tiers[0].alert == ("role:supervisor",)
    assert own.queue_named("a queue of an older policy") == own.queue_named("default")
