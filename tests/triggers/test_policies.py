"""The policies that people copy: every one is loaded as the server does, and says what its table says."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from signoff.domain.verdict import Category
from signoff.triggers.lint import lint
from signoff.triggers.load import LoadedPolicy, load_policy
from signoff.triggers.starters import STARTERS, starter_cases, starter_policy
from signoff.triggers.tables import ReadyCase, coverage, read_table, run_case

EXAMPLES = Path(__file__).parents[2] / "examples" / "policies"
OF_THE_EXAMPLES = sorted(path for path in EXAMPLES.glob("*.yaml") if not path.name.endswith(".tests.yaml"))
ALL = [
    *(pytest.param(path.read_text("utf-8"), path.with_suffix(".tests.yaml"), id=path.stem) for path in OF_THE_EXAMPLES),
    *(pytest.param(starter_policy(name), starter_cases(name), id=f"starter-{name}") for name in STARTERS),
]  # fmt: skip


def table(text: str, cases: str | Path) -> tuple[LoadedPolicy, tuple[ReadyCase, ...]]:
    """Load a policy and its table."""
    policy = load_policy(text, source="policy.yaml")
    written = cases if isinstance(cases, str) else cases.read_text("utf-8")
    return policy, read_table(written, policy, source="policy.tests.yaml")


@pytest.mark.parametrize(("text", "cases"), ALL)
def test_a_policy_says_what_its_table_says_and_every_trigger_fires_in_a_case(
    text: str, cases: str | Path
) -> None:
    policy, ready = table(text, cases)

    ran = [run_case(policy, one) for one in ready]

    failed = {one.ready.case.name: one.mismatches for one in ran if one.mismatches}
    assert not failed
    assert [name for name, count in coverage(policy, ran).items() if not count] == []


@pytest.mark.parametrize(("text", "cases"), ALL)
def test_every_rule_that_asks_something_is_seen_not_to_fire(text: str, cases: str | Path) -> None:
    """A case that holds a rule's tool and does not fire it is what keeps a threshold where it is."""
    policy, ready = table(text, cases)
    silent: set[str] = set()
    for one in ready:
        verdict = run_case(policy, one).verdict
        fired = {each.trigger for each in (*verdict.fired, *verdict.shadow)}
        tool = str(one.facts.action["tool"])
        silent |= {rule.trigger.id for rule in policy.index.plan(tool).rules} - fired

    asking = {one.id for one in policy.policy.triggers if one.when is not None}
    assert asking - silent == set()


@pytest.mark.parametrize(("text", "cases"), ALL)
def test_check_has_nothing_to_say_of_it(text: str, cases: str | Path) -> None:
    del cases
    assert lint(load_policy(text, source="policy.yaml")) == []


def test_there_is_an_example_for_every_category() -> None:
    shown = {
        trigger.category
        for path in OF_THE_EXAMPLES
        for trigger in load_policy(path.read_text("utf-8"), source=path.name).policy.triggers
    }

    assert shown == set(get_args(Category))


def test_a_reader_finds_every_example_in_the_table_of_the_folder() -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")

    assert [path.name for path in OF_THE_EXAMPLES if f"[{path.name}]({path.name})" not in text] == []


def test_a_reader_finds_every_starter_with_all_its_triggers() -> None:
    text = (EXAMPLES.parents[1] / "docs" / "starters.md").read_text("utf-8")
    for name in STARTERS:
        section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        triggers = load_policy(starter_policy(name), source=name).policy.triggers
        assert [one.id for one in triggers if f"`{one.id}`" not in section] == [], name
