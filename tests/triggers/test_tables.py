"""Table tests of a policy: what they accept, what they refuse, and what they say of a policy that fails them."""

import pytest

from signoff.triggers.load import LoadedPolicy, load_policy
from signoff.triggers.tables import Mismatch, TableInvalid, coverage, read_table, run_case

POLICY = """\
version: 1
queues:
  payments: {tiers: [{alert: [role:operator]}]}
signals:
  refunds: {sum: action.arguments.amount, over: 24h, by: bundle.subject.id}
triggers:
  - {id: large, tools: [refund], when: action.arguments.amount > 500, then: escalate, queue: payments, urgency: high, require: {role: supervisor}}
  - {id: many, tools: [refund], when: signals.refunds > 1000, then: deny}
  - {id: late, when: now.getHours() > 20, then: escalate, mode: shadow}
"""


@pytest.fixture
def policy() -> LoadedPolicy:
    return load_policy(POLICY, source="policy.yaml")


def mismatches(policy: LoadedPolicy, case: str) -> tuple[Mismatch, ...]:
    (ready,) = read_table(f"cases:\n  - {case}\n", policy, source="policy.tests.yaml")
    return run_case(policy, ready).mismatches


REFUND = "{name: x, action: {tool: refund, arguments: {amount: 900}}, history: {refunds: 1}, expect: "


@pytest.mark.parametrize(
    "expect",
    [
        "{verdict: escalate}",
        "{verdict: escalate, triggers: [large], shadow: []}",
        "{verdict: escalate, includes: [large], excludes: [many]}",
        "{verdict: escalate, queue: payments, urgency: high, require: {role: supervisor, approvals: 1}}",
    ],
)
def test_a_case_that_holds_says_nothing(policy: LoadedPolicy, expect: str) -> None:
    assert mismatches(policy, f"{REFUND}{expect}}}") == ()


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        ("{verdict: allow}", Mismatch("verdict", "allow", "escalate")),
        ("{verdict: escalate, triggers: [many]}", Mismatch("triggers", "", "", ("many",), ("large",))),
        ("{verdict: escalate, triggers: []}", Mismatch("triggers", "", "", (), ("large",))),
        ("{verdict: escalate, includes: [large, many]}", Mismatch("includes", "", "", ("many",), ())),
        ("{verdict: escalate, excludes: [large]}", Mismatch("excludes", "", "", (), ("large",))),
        ("{verdict: escalate, shadow: [late]}", Mismatch("shadow", "", "", ("late",), ())),
        ("{verdict: escalate, queue: default}", Mismatch("queue", "default", "payments")),
        ("{verdict: escalate, urgency: low}", Mismatch("urgency", "low", "high")),
        ("{verdict: escalate, require: {approvals: 2}}", Mismatch("require.approvals", "2", "1")),
        ("{verdict: escalate, require: {reason: true}}", Mismatch("require.reason", "true", "false")),
        ("{verdict: escalate, reason: {many: missing x}}", Mismatch("reason of many", "missing x", "did not fire")),
    ],
)  # fmt: skip
def test_every_expectation_that_does_not_hold_is_named(
    policy: LoadedPolicy, expect: str, found: Mismatch
) -> None:
    assert mismatches(policy, f"{REFUND}{expect}}}") == (found,)


def test_a_case_that_passes_only_because_something_is_missing_fails(policy: LoadedPolicy) -> None:
    case = "{name: x, action: {tool: refund}, history: {refunds: 1}, expect: {verdict: escalate%s}}"
    said = ", reason: {large: missing action.arguments.amount}"

    (found,) = mismatches(policy, case % "")

    assert found.got == "missing action.arguments.amount"
    assert found.hint == "if that is meant, write reason: {large: missing action.arguments.amount}"
    assert mismatches(policy, case % said) == ()


def test_a_case_that_gives_no_history_is_told_how(policy: LoadedPolicy) -> None:
    case = "{name: x, action: {tool: refund, arguments: {amount: 1}}, bundle: {subject: {id: c}}, expect: {verdict: deny}}"

    (found,) = mismatches(policy, case)

    assert found.hint == (
        "give it a value, history: {refunds: …}; if that is meant, write reason: {many: missing signals.refunds}"
    )


def test_a_case_gives_the_history_the_time_and_who_asks(policy: LoadedPolicy) -> None:
    assert (
        mismatches(
            policy,
            "{name: x, action: {tool: refund, arguments: {amount: 1}}, bundle: {subject: {id: c}},"
            " history: {refunds: 1200.5}, now: 2026-01-05T23:00:00+01:00, agent: {name: bot, owner: dana},"
            " session: s1, expect: {verdict: deny, triggers: [many], shadow: [late]}}",
        )
        == ()
    )
    assert (
        mismatches(
            policy,
            "{name: x, action: {tool: refund, arguments: {amount: 1}}, history: {refunds: null},"
            " expect: {verdict: deny, reason: {many: missing signals.refunds}}}",
        )
        == ()
    )


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("{name: x, action: {tool: t}, expect: {verdict: allow, trigger: []}}", "2:59: cases[0].expect.trigger: unknown key - did you mean 'triggers'?"),
        ("{name: x, action: {tool: t}, expect: {}}", "2:42: cases[0].expect: 'verdict' is missing"),
        ("{name: x, action: {tool: t}, expect: {verdict: maybe}}", "2:52: cases[0].expect.verdict: input should be 'allow', 'escalate' or 'deny'"),
        ("{name: x, action: {tool: t}, expect: {verdict: allow, triggers: [lrge]}}", "2:70: cases[0].expect.triggers: the policy has no trigger 'lrge' - did you mean 'large'?"),
        ("{name: x, action: {tool: t}, expect: {verdict: allow, reason: {nobody: matched}}}", "2:68: cases[0].expect.reason: the policy has no trigger 'nobody'"),
        ("{name: x, action: {tool: t}, history: {refund: 3}, expect: {verdict: allow}}", "2:44: cases[0].history: the policy has no signal 'refund' - did you mean 'refunds'?"),
        ("{name: x, action: {tool: t}, expect: {verdict: allow, queue: payment}}", "2:66: cases[0].expect: the policy has no queue 'payment' - did you mean 'payments'?"),
        ("{name: x, action: {tol: t}, expect: {verdict: allow}}", "2:23: cases[0]: action.tool"),
        ("{name: x, action: {tool: t}, bundle: {confidence: 7}, expect: {verdict: allow}}", "2:55: cases[0]: bundle.confidence: Input should be less than or equal to 1"),
        ("{name: x, action: {tool: t}, now: 2026-01-01T10:00:00, expect: {verdict: allow}}", "2:39: cases[0].now: write the offset too"),
        ("{name: x, action: {tool: t}, expect: {verdict: allow}}\n  - {name: x, action: {tool: t}, expect: {verdict: allow}}", "3:12: cases[1]: the name is already used on line 2"),
        ("{name: x, action: {tool: t}, expect: {verdict: no}}", "2:52: 'no' means true or false to some readers"),
    ],
)  # fmt: skip
def test_a_table_is_read_as_strictly_as_a_policy(policy: LoadedPolicy, case: str, problem: str) -> None:
    with pytest.raises(TableInvalid) as caught:
        read_table(f"cases:\n  - {case}\n", policy, source="policy.tests.yaml")

    found = [f"{one.line}:{one.column}: {one.message}" for one in caught.value.problems]
    assert any(problem in one for one in found), found


@pytest.mark.parametrize("text", ["", "[]", "cases: []", "cases: 3", "case: []", "a: &x 1"])
def test_what_holds_no_cases_is_no_table(policy: LoadedPolicy, text: str) -> None:
    with pytest.raises(TableInvalid):
        read_table(text, policy, source="policy.tests.yaml")


def test_coverage_counts_the_cases_in_which_each_trigger_fires(policy: LoadedPolicy) -> None:
    table = read_table(
        "cases:\n"
        "  - {name: a, action: {tool: refund, arguments: {amount: 900}}, history: {refunds: 2000}, expect: {verdict: deny}}\n"
        "  - {name: b, action: {tool: refund, arguments: {amount: 900}}, history: {refunds: 0}, expect: {verdict: escalate}}\n",
        policy,
        source="policy.tests.yaml",
    )

    assert coverage(policy, [run_case(policy, ready) for ready in table]) == {
        "large": 2,
        "many": 1,
        "late": 0,
    }
