"""What holds for every policy and every input: combining, order, errors, and reloading."""

import json
import random
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from signoff.domain.errors import PolicyInvalid
from signoff.domain.people import ASSURANCES
from signoff.domain.verdict import URGENCIES, Verdict
from signoff.triggers.evaluate import STRICTNESS, evaluate
from signoff.triggers.expression import Expression, Variables, compile_checked
from signoff.triggers.facts import Facts
from signoff.triggers.load import LoadedPolicy, load_policy
from signoff.triggers.watch import PolicyFile

SLOW = "(a|b)*a(a|b){30}c"

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.just("ab" * 10_000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(st.sampled_from(["n", "s", "list", "x", "deep"]), values)
bundles = st.fixed_dictionaries(
    {},
    optional={
        "confidence": st.none() | st.floats(0, 1),
        "subject": st.dictionaries(st.sampled_from(["tier", "id"]), values),
        "state": values,
        "messages": st.lists(
            st.fixed_dictionaries(
                {"role": st.sampled_from(["user", "tool"])}, optional={"content": st.text(max_size=9)}
            ),
            max_size=3,
        ),
        "unheard_of": values,
    },
)

WHEN = [
    None,
    "action.arguments.n > 5",
    "action.arguments.n > 5 || confidence < 0.2",
    "action.arguments.s.contains('a')",
    "action.arguments.s.matches('a.c')",
    f"action.arguments.s.matches('{SLOW}')",
    "has(action.arguments.n) && action.arguments.n < 0",
    "has(action.arguments.deep.er) && action.arguments.deep.er == 1",
    "confidence < 0.5",
    "subject.tier in ['vip']",
    "action.arguments.list.exists(i, i > 3)",
    "action.arguments.list.map(i, i + i).size() > 2",
    "bundle.messages.all(m, m.content.size() < 5)",
    "double(action.arguments.s) > 2.0",
    "action.arguments.list[0] == action.arguments.n",
    "bundle.state",
]


@st.composite
def triggers(draw: st.DrawFn, then: tuple[str, ...] = STRICTNESS) -> dict[str, Any]:
    made: dict[str, Any] = {
        "then": draw(st.sampled_from(then)),
        "urgency": draw(st.sampled_from(URGENCIES)),
        "mode": draw(st.sampled_from(["enforce", "enforce", "shadow"])),
        "approve_within": f"{draw(st.integers(1, 90))}m",
        "approval_valid_for": f"{draw(st.integers(1, 90))}m",
        "require": {
            "role": draw(st.sampled_from(["operator", "supervisor"])),
            "approvals": draw(st.integers(1, 3)),
            "assurance": draw(st.sampled_from(ASSURANCES[1:])),
            "separation": draw(st.booleans()),
            "reason": draw(st.booleans()),
        },
    }
    when = draw(st.sampled_from(WHEN))
    return made if when is None else {**made, "when": when}


@st.composite
def lists_of_triggers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return triggers with ids, where an allow trigger may suppress any that do not allow."""
    made = [{**one, "id": f"t{number}"} for number, one in enumerate(draw(st.lists(triggers(), max_size=6)))]
    others = [one["id"] for one in made if one["then"] != "allow"]
    for one in made:
        if one["then"] == "allow" and others:
            one["suppresses"] = draw(st.lists(st.sampled_from(others), unique=True))
    return made


def load(some: list[dict[str, Any]], **defaults: str) -> LoadedPolicy:
    return load_policy(json.dumps({"version": 1, "defaults": defaults, "triggers": some}), source="p")


def verdict(policy: LoadedPolicy, arguments: dict[str, Any], bundle: dict[str, Any]) -> Verdict:
    facts = Facts({"tool": "x", "arguments": arguments}, bundle, {}, {}, datetime(2026, 1, 1, tzinfo=UTC))
    return evaluate(policy, facts)


def strictness(given: Verdict) -> tuple[float, ...]:
    """Return all that may get stricter; more is stricter, in each place."""
    return (
        STRICTNESS.index(given.outcome),
        URGENCIES.index(given.urgency),
        ["operator", "supervisor"].index(given.require.role),
        given.require.approvals,
        ASSURANCES.index(given.require.assurance),
        given.require.separation,
        given.require.reason,
        -given.approve_within.total_seconds(),
        -given.approval_valid_for.total_seconds(),
    )


@given(
    lists_of_triggers(),
    triggers(("escalate", "deny")),
    arguments,
    bundles,
    st.sampled_from(["escalate", "deny"]),
)
def test_one_more_trigger_that_escalates_or_denies_makes_nothing_looser(
    some: list[dict[str, Any]],
    more: dict[str, Any],
    arguments: dict[str, Any],
    bundle: dict[str, Any],
    on_error: str,
) -> None:
    before = verdict(load(some, on_error=on_error), arguments, bundle)
    after = verdict(load([*some, {**more, "id": "more"}], on_error=on_error), arguments, bundle)

    assert STRICTNESS.index(after.outcome) >= STRICTNESS.index(before.outcome)
    assert {fired.trigger for fired in after.fired} >= {fired.trigger for fired in before.fired}
    # Before the first escalation there is nothing to compare with: the defaults are nobody's requirement.
    assume(any(fired.then == "escalate" for fired in before.fired))
    assert all(new >= old for new, old in zip(strictness(after), strictness(before), strict=True))


@given(
    lists_of_triggers(),
    triggers(("escalate", "deny")),
    arguments,
    bundles,
    st.sampled_from(["allow", "escalate", "deny"]),
)
def test_where_something_matched_the_default_for_what_nothing_matches_plays_no_part(
    some: list[dict[str, Any]],
    more: dict[str, Any],
    arguments: dict[str, Any],
    bundle: dict[str, Any],
    unmatched: str,
) -> None:
    before = verdict(load(some, unmatched=unmatched), arguments, bundle)
    # What could not be evaluated has matched nothing: the default stands beside it until something does.
    assume(any(fired.reason == "matched" for fired in before.fired))

    after = verdict(load([*some, {**more, "id": "more"}], unmatched=unmatched), arguments, bundle)

    assert STRICTNESS.index(after.outcome) >= STRICTNESS.index(before.outcome)
    assert before == verdict(load(some, unmatched=unmatched), arguments, bundle)


@given(lists_of_triggers(), st.randoms(use_true_random=False), arguments, bundles)
def test_the_order_of_triggers_changes_nothing_not_even_what_is_too_dear(
    some: list[dict[str, Any]], shuffle: random.Random, arguments: dict[str, Any], bundle: dict[str, Any]
) -> None:
    shuffled = list(some)
    shuffle.shuffle(shuffled)
    one, other = verdict(load(some), arguments, bundle), verdict(load(shuffled), arguments, bundle)

    assert strictness(one) == strictness(other)
    assert {fired.trigger: fired for fired in one.fired} == {fired.trigger: fired for fired in other.fired}
    assert {fired.trigger: fired for fired in one.shadow} == {fired.trigger: fired for fired in other.shadow}


@given(lists_of_triggers(), arguments, bundles)
def test_conditions_evaluated_together_say_what_each_says_alone(
    some: list[dict[str, Any]], arguments: dict[str, Any], bundle: dict[str, Any]
) -> None:
    some = [{key: value for key, value in one.items() if key != "suppresses"} for one in some]
    both = verdict(load(some), arguments, bundle)
    alone = [verdict(load([one]), arguments, bundle) for one in some]

    def told(*verdicts: Verdict) -> set[tuple[str, str, str]]:
        return {
            (one.trigger, one.then, one.reason) for each in verdicts for one in (*each.fired, *each.shadow)
        }

    dear = "error: what the conditions read is too much to go through"
    assume(all(reason != dear for _, _, reason in told(both)))
    assert told(both) == told(*alone)


PIECES = [
    "action.arguments.n", "action.arguments.s", "action.arguments.list", "action.arguments.deep.er", "bundle.state",
    "bundle.messages", "subject.tier", "subject.id", "confidence", "now", "m", "m.content", "1", "0.5", "'a'", "true",
    "null", "[1, 'a']", "{'a': 1}", "(", ")", "[", "]", "&&", "||", "!", "==", "!=", "<", ">=", "+", "-", "*", "/", "%",
    "?", ":", " in ", ".size()", ".contains('a')", ".matches('a+')", ".exists(m, ", ".map(m, ", ".filter(m, ", "has(",
    "int(", "double(", "string(", "timestamp(", "duration(", "type(",
]  # fmt: skip


def _operands() -> st.SearchStrategy[str]:
    roots = st.sampled_from(PIECES[:10] + PIECES[12:19])
    calls = st.sampled_from(
        ["int({})", "double({})", "string({})", "timestamp({})", "size({})", "type({})", "({})", "!{}", "-{}"]
    )
    methods = st.sampled_from(
        [".size()", ".contains('a')", ".matches('a+')", "[0]", "['a']", ".er", ".startsWith('a')"]
    )
    walks = st.sampled_from([".exists(m, {})", ".all(m, {})", ".map(m, {})", ".filter(m, {})"])
    return st.recursive(
        roots,
        lambda inner: st.builds(lambda call, one: call.format(one), calls, inner)
        | st.builds("({}{})".format, inner, methods)
        | st.builds(lambda one, walk, body: one + walk.format(body), roots, walks, inner | st.just("m == 1"))
        | st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||", "==", "<", ">=", "+", "*", "/", "in"]), inner)
        | st.builds("({} ? {} : {})".format, inner, inner, inner),
        max_leaves=6,
    )  # fmt: skip


def engine_says(when: str, arguments: dict[str, Any], bundle: dict[str, Any]) -> object:
    """Return what the engine alone gives for a condition, or the error where it gives nothing."""
    variables = Variables()
    compiled = compile_checked(when, variables)
    assert isinstance(compiled, Expression)
    facts = Facts({"tool": "x", "arguments": arguments}, bundle, {}, {}, datetime(2026, 1, 1, tzinfo=UTC))
    context: dict[str, Any] = {}
    for path in compiled.reads:
        found, value = facts.look_up(path)
        if found == "here":
            context[variables.values[path]] = value
    for path in compiled.asks:
        context[variables.present[path]] = facts.look_up(path)[0] == "here"
    try:
        return compiled.program.execute(context)
    except BaseException as error:  # noqa: BLE001 -- a panic of the engine is no Exception
        return error


@given(
    _operands() | st.lists(st.sampled_from(PIECES), max_size=7).map("".join),
    arguments,
    bundles,
    st.sampled_from(STRICTNESS),
)
def test_whatever_a_condition_does_it_holds_or_does_not_or_the_trigger_fires(
    when: str, arguments: dict[str, Any], bundle: dict[str, Any], then: str
) -> None:
    assume(isinstance(compile_checked(when, Variables()), Expression))
    trigger = {"id": "t", "then": then, "when": when}
    try:
        policy = load([trigger])
    except PolicyInvalid:
        assume(False)
        return

    found = verdict(policy, arguments, bundle)

    if not found.fired:
        assert found.outcome == "allow"
        assert engine_says(when, arguments, bundle) is False
        return
    (fired,) = found.fired
    assert (fired.reason == "matched") <= (engine_says(when, arguments, bundle) is True)
    assert fired.reason == "matched" or fired.reason.startswith(("missing ", "error: "))
    if fired.reason == "matched":
        assert found.outcome == then
    else:
        assert found.outcome == ("deny" if then == "deny" else "escalate")
        assert verdict(load([trigger], on_error="deny"), arguments, bundle).outcome == (
            "deny" if fired.reason.startswith("error: ") or then == "deny" else "escalate"
        )


@given(arguments, bundles, st.dictionaries(st.text(max_size=8), values, max_size=3))
def test_a_field_that_nobody_knows_changes_no_verdict(
    arguments: dict[str, Any], bundle: dict[str, Any], unknown: dict[str, Any]
) -> None:
    policy = load([{"id": f"t{n}", "then": "escalate", "when": when} for n, when in enumerate(WHEN) if when])
    known = {"confidence", "subject", "state", "messages"}
    unknown = {key: value for key, value in unknown.items() if key not in known}
    some = {key: value for key, value in bundle.items() if key in known}

    assert verdict(policy, arguments, {**some, **unknown}) == verdict(policy, arguments, some)


def version_text(number: int) -> str:
    """Return a version of a policy whose every trigger says which version it is of."""
    lines = [
        f"- {{id: v{number}-{n}, tools: ['*'], then: escalate, explain: 'version {number}'}}"
        for n in range(40)
    ]
    return "version: 1\ntriggers:\n" + "\n".join(lines) + "\n"


def by_rename(path: Path, text: str) -> Iterator[None]:
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        yield
        file.write(text[len(text) // 2 :])
    yield
    beside.replace(path)
    yield


def in_place(path: Path, text: str) -> Iterator[None]:
    """Truncate and write, stopping where what stands there is nothing, a policy with fewer rules, and no policy."""
    lines = text.splitlines(keepends=True)
    with path.open("w", encoding="utf-8") as file:
        yield
        file.write("".join(lines[:20]))
        file.flush()
        yield
        file.write(lines[20][:25])
        file.flush()
        yield
        file.write(lines[20][25:] + "".join(lines[21:]))
    yield


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells who has a file open")
@pytest.mark.parametrize("way", [by_rename, in_place])
def test_every_verdict_belongs_to_a_version_of_the_policy_that_was_whole(tmp_path: Path, way: Any) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(version_text(0), encoding="utf-8")
    file = PolicyFile(path)
    step = threading.Barrier(2, timeout=20)

    def write() -> None:
        for number in range(1, 6):
            for _ in way(path, version_text(number)):
                step.wait()  # the reader looks now,
                step.wait()  # and has looked

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        try:
            step.wait()
        except threading.BrokenBarrierError:
            break
        found = verdict(file.current(), {}, {})
        seen.append({fired.explanation for fired in found.fired})
        assert len(found.fired) == 40
        step.wait()
        if seen[-1] == {"version 5"}:
            break
    writer.join(timeout=20)

    assert not writer.is_alive()
    assert all(len(versions) == 1 for versions in seen)
    assert [version for (version,) in dict.fromkeys(map(tuple, seen))] == [f"version {n}" for n in range(6)]


def test_a_policy_that_changes_all_the_time_is_never_read_by_halves(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(version_text(0), encoding="utf-8")
    file = PolicyFile(path)
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(1, 150):
                for _ in (by_rename if number % 2 else in_place)(path, version_text(number)):
                    pass
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    looks = 0
    while not done.is_set() or looks == 0:
        found = verdict(file.current(), {}, {})
        looks += 1
        assert len(found.fired) == 40
        assert len({fired.explanation for fired in found.fired}) == 1
    writer.join(timeout=20)

    assert verdict(file.current(), {}, {}).fired[0].explanation == "version 149"
