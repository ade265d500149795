"""A changed policy over recorded runs: what is counted, and what a line may say."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from signoff.triggers.load import LoadedPolicy, load_policy
from signoff.triggers.replay import Judge, Tally, compare
from signoff.triggers.runs import RunInvalid, read_run


def policy(limit: int, extra: str = "") -> LoadedPolicy:
    return load_policy(
        "version: 1\nsignals:\n  total: {sum: action.arguments.amount, over: 24h, by: bundle.subject.id}\ntriggers:\n"
        f"  - {{id: large, tools: [pay], when: action.arguments.amount > {limit}, then: escalate}}\n{extra}",
        source="policy.yaml",
    )


def run(amount: int, **more: Any) -> bytes:
    given = {
        "action": {"tool": "pay", "arguments": {"amount": amount}},
        "bundle": {"subject": {"id": "c"}},
        **more,
    }
    return json.dumps(given).encode()


def tally(now: LoadedPolicy, before: LoadedPolicy | None, lines: list[bytes]) -> Tally:
    made, judges = Tally(), (Judge(now), None if before is None else Judge(before))
    for number, line in enumerate(lines):
        made.add(compare(read_run(line, id=f"line {number}"), judges[0], judges[1]))
    return made


def test_verdicts_triggers_and_what_people_made_of_them_are_counted() -> None:
    lines = [
        run(amount, verdict="escalate", triggers=["large"], people=people)
        for amount, people in ((60, "approved"), (70, "rejected"), (200, "approved"))
    ]
    lines += [run(10, verdict="allow"), run(300, verdict="deny", triggers=["gone"])]

    made = tally(policy(100), None, lines)

    assert made.as_json() | {"first": None, "last": None} == {
        "actions": 5,
        "first": None,
        "last": None,
        "before": {"allow": 1, "escalate": 3, "deny": 1},
        "now": {"allow": 3, "escalate": 2, "deny": 0},
        "changed": 3,
        "changes": [
            {"before": "escalate", "now": "allow", "actions": 2, "people": {"approved": 1, "rejected": 1}},
            {"before": "deny", "now": "escalate", "actions": 1, "people": {}},
        ],
        "cases_per_day": None,
        "triggers": [
            {"trigger": "gone", "before": 1, "now": 0},
            {"trigger": "large", "before": 3, "now": 2},
        ],
    }  # fmt: skip


def test_cases_a_day_are_over_the_days_from_first_to_last() -> None:
    lines = [run(200, at=f"2026-11-{day:02d}T23:59:00Z") for day in (1, 2, 4)]

    made = tally(policy(100), policy(1000), lines)

    assert made.days == 4
    assert made.as_json()["cases_per_day"] == {"before": 0.0, "now": 0.75}


def test_history_is_that_of_the_policy_that_is_replayed() -> None:
    rule = "  - {id: limit, tools: [pay], when: signals.total > 100, then: %s}\n"
    lines = [run(60, at=f"2026-11-01T10:0{n}:00Z") for n in range(5)]

    # What was denied may not run, so it counts no more; what waits for a person may.
    assert tally(policy(500, rule % "deny"), policy(500), lines).now("deny") == 4
    small = [run(30, at=f"2026-11-01T10:0{n}:00Z") for n in range(5)]
    denied = Judge(policy(500, rule % "deny"))
    said = [
        denied.say(read_run(line, id="x")).outcome for line in [*small, run(10, at="2026-11-01T11:00:00Z")]
    ]
    assert said == ["allow", "allow", "allow", "deny", "deny", "allow"]


def test_a_rejection_and_an_expiry_give_back_what_they_took() -> None:
    rule = "  - {id: limit, tools: [pay], when: signals.total > 100, then: escalate}\n"
    judge = Judge(policy(50, rule))
    lines = [
        run(90, at="2026-11-01T10:00:00Z", people="rejected", ended_at="2026-11-01T10:30:00Z"),
        run(20, at="2026-11-01T10:10:00Z"),
        run(20, at="2026-11-01T10:40:00Z"),
    ]

    assert [judge.say(read_run(line, id="x")).fired for line in lines] == [{"large"}, {"limit"}, frozenset()]


def test_a_window_ends_at_its_edge() -> None:
    rule = "  - {id: limit, tools: [pay], when: signals.total > 100, then: escalate}\n"
    judge = Judge(policy(500, rule))
    times = ["2026-11-01T10:00:00Z", "2026-11-02T09:59:59Z", "2026-11-02T10:00:00Z"]

    assert [bool(judge.say(read_run(run(60, at=at), id="x")).fired) for at in times] == [False, True, True]
    assert judge.say(read_run(run(41, at="2026-11-03T09:59:59.5Z"), id="x")).fired == {"limit"}


def test_a_line_may_give_the_value_of_a_signal() -> None:
    rule = "  - {id: limit, tools: [pay], when: signals.total > 100, then: escalate}\n"

    assert Judge(policy(500, rule)).say(read_run(run(1, history={"total": 101}), id="x")).fired == {"limit"}


def test_the_difference_is_put_down_to_the_triggers_that_make_it() -> None:
    rule = "  - {id: other, tools: [pay], when: action.arguments.amount > 10, then: %s}\n"
    strict, loose = policy(100, rule % "deny"), policy(100, rule % "escalate")
    one = read_run(run(20), id="x")

    assert compare(one, Judge(strict), Judge(loose)).because == ("other",)
    assert compare(one, Judge(strict), Judge(policy(100))).because == ("+other",)
    assert compare(one, Judge(policy(100)), Judge(strict)).because == ("-other",)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "not JSON"),
        (b"[]", "object"),
        (b'{"actoin": {}}', "action"),
        (b'{"action": {"tool": ""}}', "action.tool"),
        (b'{"action": {"tool": "x"}, "at": "yesterday"}', "at"),
        (b'{"action": {"tool": "x"}, "at": "2026-11-01T10:00:00"}', "write the offset too"),
        (b'{"action": {"tool": "x"}, "verdict": "maybe"}', "verdict"),
        (b'{"action": {"tool": "x", "tool": "y"}}', "appears twice"),
    ],
)
def test_a_line_that_no_agent_could_have_sent_is_refused_by_name(line: bytes, problem: str) -> None:
    with pytest.raises(RunInvalid, match=problem):
        read_run(line, id="x")


def test_a_line_names_itself_and_says_when_and_who() -> None:
    line = run(1, id="task-3", agent="bot", session={"id": "s"}, at="2026-11-01T12:00:00+02:00")

    one = read_run(line, id="file:1")

    assert (one.id, one.timed, one.facts.now) == ("task-3", True, datetime(2026, 11, 1, 10, tzinfo=UTC))
    assert (one.facts.agent["id"], one.facts.session) == ("bot", {"id": "s"})
