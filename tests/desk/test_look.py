"""What people find when they look: their inbox, and a case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests._support.cases import WIRE, approve, ask
from tests.conftest import Cast

from signoff.desk import inbox as looking
from signoff.desk.check import check_triggers
from signoff.desk.desk import Desk
from signoff.desk.inbox import inbox
from signoff.desk.look import CaseView, agent_case, look
from signoff.desk.masks import HIDDEN
from signoff.desk.people import add_person
from signoff.domain.action import Action
from signoff.domain.bundle import read_material
from signoff.domain.errors import Forbidden
from signoff.domain.people import SignIn


async def test_a_flood_in_one_queue_does_not_empty_the_inbox_of_another(
    desk: Desk, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PAGE", 5)
    other = await add_person(desk, "Oskar", roles=["operator"], queues=["default"])
    mine = await ask(desk, cast.bea, Action(tool="tidy_up"))
    for number in range(30):  # all of them more urgent, all of them in another queue, no two alike
        await ask(desk, cast.ada, replace_server(WIRE, f"bank-{number}"))
    found = await inbox(desk, SignIn(other, "session"))
    assert [line.case.id for line in found.pending] == [mine.escalation_id]
    assert len((await inbox(desk, cast.sofia)).pending) == 5


def replace_server(action: Action, server: str) -> Action:
    return action.model_copy(update={"server": server})


async def test_an_inbox_has_the_most_urgent_first_then_the_least_time_left(desk: Desk, cast: Cast) -> None:
    low = await ask(desk, cast.ada, Action(tool="tidy_up"), urgency="low")
    critical = await ask(desk, cast.ada, Action(tool="tidy_up"), urgency="critical")
    high = await ask(desk, cast.ada)
    done = await ask(desk, cast.ada)
    await approve(desk, cast.omar, done.escalation_id)
    found = await inbox(desk, cast.omar)
    assert [line.case.id for line in found.pending] == [
        critical.escalation_id,
        high.escalation_id,
        low.escalation_id,
    ]
    assert [(line.case.id, line.decided_by) for line in found.ended] == [(done.escalation_id, ("Omar",))]


async def test_a_link_shows_its_case_and_no_inbox(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    with pytest.raises(Forbidden):
        await inbox(desk, replace(cast.omar, assurance="link", only_case=told.escalation_id))


VIP = """\
version: 1
masks:
  - {path: bundle.subject.tier, hide_from: [operator]}
  - {path: bundle.state.due_at, hide_from: [operator]}
signals:
  left: {minutes_left: bundle.state.due_at}
triggers:
  - id: vip
    when: action.arguments.amount > 100 && subject.tier == "gold" && signals.left < 60
    then: escalate
"""
GOLD = read_material({"subject": {"tier": "gold"}, "state": {"due_at": "2026-11-23T20:41:05.123456Z"}})


async def test_the_values_of_a_trigger_are_hidden_like_the_fields_they_come_from(
    desk: Desk, cast: Cast, policy_path: Any
) -> None:
    policy_path.write_text(VIP, encoding="utf-8")
    told = await ask(desk, cast.ada, Action(tool="refund", arguments={"amount": 250}), material=GOLD)

    def values(view: CaseView) -> dict[str, object]:
        (fired,) = view.document["verdict"]["fired"]
        made: dict[str, object] = fired["values"]
        return made

    hidden = {"subject.tier": HIDDEN, "signals.left": HIDDEN, "action.arguments.amount": 250}
    assert values(await look(desk, cast.omar, told.escalation_id)) == hidden
    assert values(await look(desk, cast.sofia, told.escalation_id)) == {
        "subject.tier": "gold",
        "signals.left": 10.0,
        "action.arguments.amount": 250,
    }
    # What anybody may not see no model is sent back, in whichever way it asks.
    assert told.triggers[0]["values"] == hidden
    checked = await check_triggers(desk, cast.ada, Action(tool="refund", arguments={"amount": 250}), GOLD)
    assert checked.fired[0]["values"] == hidden
    found = await agent_case(desk, cast.ada, told.escalation_id)
    assert found.document["verdict"]["fired"][0]["values"] == hidden


async def test_a_signal_that_is_no_longer_declared_is_hidden_where_anything_is(
    desk: Desk, cast: Cast, policy_path: Any
) -> None:
    policy_path.write_text(VIP, encoding="utf-8")
    told = await ask(desk, cast.ada, Action(tool="refund", arguments={"amount": 250}), material=GOLD)
    policy_path.write_text(
        "version: 1\nmasks: [{path: bundle.subject.name, hide_from: [operator]}]\n", encoding="utf-8"
    )

    (fired,) = (await look(desk, cast.omar, told.escalation_id)).document["verdict"]["fired"]

    assert fired["values"]["signals.left"] == HIDDEN
    assert fired["values"]["subject.tier"] == "gold"
