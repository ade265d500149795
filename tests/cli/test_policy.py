"""Explaining and replaying what lies in a home's database, without touching it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from click.testing import CliRunner, Result
from tests._support.cases import answer

from signoff.app import open_desk
from signoff.cli import signoff
from signoff.cli.excerpt import show_problem
from signoff.config import Config
from signoff.desk.check import check_triggers
from signoff.desk.people import list_people, local_agent
from signoff.desk.request import request_approval
from signoff.domain.action import Action
from signoff.domain.bundle import Material, read_material
from signoff.domain.decision import Answer
from signoff.domain.people import SignIn

POLICY = """\
version: 1
masks:
  - {path: bundle.subject.tier, hide_from: [operator]}
queues:
  payments: {tiers: [{alert: [role:operator]}]}
triggers:
  - id: large
    title: Large wire
    tools: [wire]
    when: action.arguments.amount > 100
    then: escalate
    queue: payments
    explain: "{{action.arguments.amount}} in one go"
  - id: gold
    title: Gold customers
    when: has(subject.tier) && subject.tier == "gold"
    then: escalate
    urgency: high
    require: {role: supervisor, approvals: 2}
"""
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
    signals:
      refunds_24h: {sum: action.arguments.amount, over: 24h, of: refund_*, by: bundle.subject.id}
      retries:     {count: true, over: 10m, of: same_action, by: session}
      mood:        {sentiment: last_user_message}
    triggers:
      - id: large-wire
        title: Wire above 10,000
        category: value           # value | uncertainty | security | regulatory | sentiment | urgency | sla | vip | complexity | velocity | policy
        tools: [wire_transfer]
        when: action.arguments.amount > 10000 || action.arguments.country in ["IR", "KP"]
        then: escalate            # allow | escalate | deny
        queue: payments
        urgency: high             # low | normal | high | critical
        require: {role: supervisor, approvals: 2, assurance: session}
        explain: "{{action.arguments.amount}} to {{action.arguments.country}}"
        mode: enforce             # enforce | shadow (evaluated and recorded, never acts)
      - {id: unsure, category: uncertainty, when: confidence < 0.6, then: escalate}
      - {id: angry, category: sentiment, when: signals.mood < -0.5, then: escalate, urgency: high}
      - {id: looping, category: velocity, when: signals.retries >= 3, then: escalate}
      - {id: delete-user-data, category: regulatory, tools: ["delete_*"], then: escalate, require: {role: supervisor}}
    """)
"""The policy of the design, to the letter."""
WIRE = Action(tool="wire", arguments={"amount": 250})
GOLD = read_material({"subject": {"id": "c1", "tier": "gold"}})


async def run(config: Config, *arguments: str) -> Result:
    """Run `signoff policy` beside the open home, in a thread: it brings an event loop of its own."""
    words = ["policy", *arguments, "--home", str(config.home.path)]
    return await anyio.to_thread.run_sync(partial(CliRunner().invoke, signoff, words))


@dataclass
class Asked:
    """A home in which Ada asked."""

    large: str
    gold: str


@asynccontextmanager
async def asked(config: Config) -> AsyncGenerator[Asked]:
    config.home.policy_file.write_text(POLICY, encoding="utf-8")
    async with open_desk(config) as desk:
        agent = await local_agent(desk, "ada")
        (person,) = await list_people(desk)
        large = await request_approval(desk, agent, WIRE, Material())
        gold = await request_approval(desk, agent, WIRE, GOLD)
        await check_triggers(desk, agent, Action(tool="read"), Material())
        await answer(desk, SignIn(person, "session"), large.escalation_id, Answer("reject", note="no"))
        yield Asked(large.escalation_id, gold.escalation_id)


def test_the_policy_of_the_design_is_accepted_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(DESIGN, encoding="utf-8")

    told = CliRunner().invoke(signoff, ["policy", "check", str(file)])

    assert told.exit_code == 0, told.output
    assert f"{file}: 5 triggers (0 in shadow mode), sha256:" in told.output
    # It declares a sum to show one, and no trigger of it reads that.
    assert "warning: no trigger reads signals.refunds_24h" in told.output
    assert "It can be used; 1 warning and 1 note" in told.output


@pytest.mark.parametrize(
    ("situation", "verdict", "fired"),
    [
        ({"action": {"tool": "wire_transfer", "arguments": {"amount": 10001, "country": "DE"}}}, "escalate", {"large-wire"}),
        ({"action": {"tool": "wire_transfer", "arguments": {"amount": 10, "country": "IR"}}}, "escalate", {"large-wire"}),
        ({"action": {"tool": "wire_transfer", "arguments": {"amount": 10000, "country": "DE"}}}, "allow", set()),
        ({"action": {"tool": "read"}, "bundle": {"confidence": 0.5}}, "escalate", {"unsure"}),
        ({"action": {"tool": "delete_user"}}, "escalate", {"delete-user-data"}),
        ({"action": {"tool": "read"}, "history": {"retries": 3}}, "escalate", {"looping"}),
        ({"action": {"tool": "read"}, "history": {"mood": -0.6}}, "escalate", {"angry"}),
    ],
)  # fmt: skip
def test_the_policy_of_the_design_does_what_it_says(
    tmp_path: Path, situation: dict[str, Any], verdict: str, fired: set[str]
) -> None:
    quiet = {"bundle": {"confidence": 0.9}, "history": {"retries": 1, "mood": 0.0, "refunds_24h": 0}}
    policy, file = tmp_path / "policy.yaml", tmp_path / "action.json"
    policy.write_text(DESIGN, encoding="utf-8")
    history = {**quiet["history"], **situation.get("history", {})}
    file.write_text(json.dumps({**quiet, **situation, "history": history}), encoding="utf-8")

    told = CliRunner().invoke(
        signoff, ["policy", "explain", str(file), "--policy", str(policy), "--for", "model"]
    )

    assert told.exit_code == 0, told.output
    said = json.loads(told.output)
    assert (said["verdict"], {one["trigger"] for one in said["triggers"]}) == (verdict, fired)


async def test_a_case_is_explained_with_its_values_and_who_asked_for_what(config: Config) -> None:
    async with asked(config) as it:
        told = await run(config, "explain", it.gold)

    assert told.exit_code == 0, told.output
    lines = [" ".join(line.split()) for line in told.output.splitlines()]
    for expected in (
        f"{it.gold}, pending",
        "verdict escalate: a person decides before it runs",
        "large Large wire (escalate, value, normal)".replace("value", "policy"),
        "when action.arguments.amount > 100",
        "read action.arguments.amount = 250",
        "says 250 in one go",
        'read subject.tier = "gold"',
        "who decides a supervisor from gold",
        "approvals 2 from gold",
        "queue payments from large",
        "urgency high from gold",
    ):
        assert expected in lines, told.output


async def test_each_reader_is_shown_what_the_masks_let_it_see(config: Config) -> None:
    async with asked(config) as it:
        operator = (await run(config, "explain", it.gold, "--as", "operator")).output
        supervisor = (await run(config, "explain", it.gold, "--as", "supervisor")).output
        model = json.loads((await run(config, "explain", it.gold, "--for", "model")).output)

    assert 'subject.tier = "[hidden by policy]"' in operator
    assert 'subject.tier = "gold"' in supervisor
    assert [one["trigger"] for one in model["triggers"]] == ["large", "gold"]
    assert model["triggers"][1]["values"] == {"subject.tier": "[hidden by policy]"}
    assert (model["verdict"], model["required"]["approvals"]) == ("escalate", 2)


async def test_a_case_is_explained_by_the_version_that_decided_it(config: Config) -> None:
    async with asked(config) as it:
        config.home.policy_file.write_text("version: 1\n", encoding="utf-8")
        told = (await run(config, "explain", it.large)).output

    assert "not the one in force now" in told
    assert "action.arguments.amount > 100" in told


async def test_explaining_and_replaying_write_nothing(config: Config) -> None:
    async with asked(config) as it:
        pass
    before = config.home.database.read_bytes()
    for arguments in (
        ("explain", it.large),
        ("explain", it.gold, "--for", "model"),
        ("replay", str(config.home.policy_file)),
    ):
        assert (await run(config, *arguments)).exit_code == 0

    assert config.home.database.read_bytes() == before
    journal = config.home.database.with_name("signoff.db-wal")
    assert not journal.exists() or journal.read_bytes() == b""


async def test_a_case_that_does_not_exist_is_said(config: Config) -> None:
    async with asked(config):
        refused = await run(config, "explain", "esc_nothing")

    assert (refused.exit_code, "There is no case esc_nothing" in refused.stderr) == (1, True)


async def test_a_changed_policy_is_replayed_over_what_agents_asked(config: Config) -> None:
    async with asked(config) as it:
        new = config.home.path / "new.yaml"
        new.write_text(
            POLICY.replace("> 100", "> 500").replace(
                "then: escalate\n    queue", "then: escalate\n    queue"
            ),
            encoding="utf-8",
        )
        counts = json.loads((await run(config, "replay", str(new), "--json")).output)
        lines = (await run(config, "replay", str(new), "--json", "--cases", "--since", "1d")).output
        *cases, last = lines.splitlines()
        table = (await run(config, "replay", str(new), "--cases")).output

    assert (counts["actions"], counts["before"], counts["against"]) == (
        3,
        {"allow": 1, "escalate": 2, "deny": 0},
        "recorded",
    )
    # The agent asked for a person, so it would have got one with no trigger at all.
    assert counts["changed"] == 0
    assert {one["trigger"]: (one["before"], one["now"]) for one in counts["triggers"]} == {
        "large": (2, 0),
        "gold": (1, 1),
    }
    assert cases == []
    assert json.loads(last)["actions"] == 3
    assert "Nothing would have been answered differently." in table
    assert it.large not in table


async def test_what_people_made_of_the_cases_is_shown_with_the_change(config: Config) -> None:
    async with asked(config) as it:
        new = config.home.path / "new.yaml"
        new.write_text("version: 1\ntriggers: [{id: all, then: allow, suppresses: []}]\n", encoding="utf-8")
        told = (await run(config, "replay", str(new), "--cases")).output

    assert f"{it.large}  wire  escalate → allow  -large  [rejected]" in told
    assert "wait for a person → go ahead 2 people: 1 rejected, 1 waiting" in " ".join(told.split())


def test_a_long_line_is_shown_around_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    line = "  - {when: '" + "a" * 100 + " && confidnce < 1 && 日本' }" + "b" * 100
    show_problem(
        "p.yaml",
        [line],
        line=1,
        column=line.index("confidnce") + 1,
        message="unknown - did you mean 'confidence'?",
    )

    head, empty, shown, caret, hint = capsys.readouterr().out.splitlines()
    assert head == f"p.yaml:1:{line.index('confidnce') + 1}: unknown"
    assert (empty, hint) == ("  |", "  = did you mean 'confidence'?")
    assert len(shown) <= 60
    assert shown[caret.index("^") : caret.rindex("^") + 1] == "confidnce"


def test_what_cannot_be_seen_is_marked_and_writes_nothing_over_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_problem("p.yaml", ["a\x1b[2Kb: confidnce"], line=1, column=10, message="unknown")

    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "⟦U+001B⟧" in said
