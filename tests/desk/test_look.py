"""What people find when they look: their inbox, and a case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests._support.cases import WIRE, approve, ask
from tests.conftest import Cast

from signoff.desk import look as looking
from signoff.desk.desk import Desk
from signoff.desk.look import inbox
from signoff.desk.people import add_person
from signoff.domain.action import Action
from signoff.domain.errors import Forbidden
from signoff.domain.people import SignIn


async def test_a_flood_in_one_queue_does_not_empty_the_inbox_of_another(
    desk: Desk, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "INBOX_PENDING", 5)
    other = await add_person(desk, "Oskar", roles=["operator"], queues=["default"])
    mine = await ask(desk, cast.bea, Action(tool="tidy_up"))
    for _ in range(30):
        await ask(desk, cast.ada, WIRE)  # all of them more urgent, all of them in another queue
    found = await inbox(desk, SignIn(other, "session"))
    assert [line.case.id for line in found.pending] == [mine.escalation_id]
    assert len((await inbox(desk, cast.sofia)).pending) == 5


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
