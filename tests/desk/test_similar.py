"""How cases like one were decided: near ones first, and only what the person may see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests._support.cases import approve
from tests._support.clock import HandClock
from tests.conftest import POLICY, Cast

from signoff.desk.close import cancel
from signoff.desk.decide import decide
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.people import add_person
from signoff.desk.request import request_approval
from signoff.desk.similar import Similar, past_cases
from signoff.domain.bundle import read_action, read_material
from signoff.domain.decision import Answer
from signoff.domain.people import SignIn


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


async def ask(desk: Desk, cast: Cast, **arguments: Any) -> str:
    action = read_action(
        {"tool": "wire_transfer", "arguments": {"amount": 12000, "country": "FR", **arguments}}
    )
    return (await request_approval(desk, cast.ada, action, read_material(None))).escalation_id


async def reject(desk: Desk, who: SignIn, case: str, note: str) -> None:
    view = await look(desk, who, case)
    answer = Answer("reject", note=note)
    await decide(desk, who, case, answer, version=view.case.version, view_digest=view.view_digest)


async def found(desk: Desk, who: SignIn, case: str) -> Similar:
    similar = await past_cases(desk, who, await look(desk, who, case))
    assert similar is not None
    return similar


async def test_the_nearest_cases_come_first_with_what_differed(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    far, near, same = [await ask(desk, cast, amount=amount) for amount in (900_000, 12_500, 12_000)]
    await reject(desk, cast.omar, far, "Far too much")
    await approve(desk, cast.omar, near)
    await approve(desk, cast.omar, same)
    clock.advance(60)
    case = await ask(desk, cast)
    other = read_action({"tool": "sell_company", "arguments": {"price": 5}})
    escalated = await request_approval(desk, cast.bea, other, read_material(None))
    await cancel(desk, cast.bea, escalated.escalation_id, reason="not needed")

    similar = await found(desk, cast.omar, case)

    assert [one.case.id for one in similar.cases] == [same, near, far]
    assert [one.same_action for one in similar.cases] == [True, False, False]
    assert [(one.name, one.then) for one in similar.cases[1].differences] == [("amount", 12_500)]
    assert (similar.cases[2].note, similar.cases[2].decided_by) == ("Far too much", ("Omar",))
    assert (similar.counts, similar.total) == ({"approved": 2, "rejected": 1}, 3)


async def test_what_waits_or_can_still_be_taken_back_is_no_earlier_decision(desk: Desk, cast: Cast) -> None:
    await ask(desk, cast, amount=12_001)
    case = await ask(desk, cast)

    assert (await found(desk, cast.omar, case)).total == 0


async def test_cases_of_other_queues_are_neither_shown_nor_counted(desk: Desk, cast: Cast) -> None:
    old = await ask(desk, cast, amount=12_500)
    await approve(desk, cast.sofia, old)
    low = read_action({"tool": "wire_transfer", "arguments": {"amount": 5, "country": "FR"}})
    case = (await request_approval(desk, cast.ada, low, read_material(None))).escalation_id
    otto = SignIn(await add_person(desk, "Otto", roles=["operator"], queues=["default"]), "session")

    assert (await look(desk, otto, case)).case.queue == "default"
    assert (await found(desk, otto, case)).total == 0
    assert (await found(desk, cast.omar, case)).total == 1


async def test_whoever_came_by_the_link_of_one_case_sees_no_other(desk: Desk, cast: Cast) -> None:
    await approve(desk, cast.omar, await ask(desk, cast, amount=12_500))
    case = await ask(desk, cast)
    by_link = SignIn(cast.omar.person, "link", only_case=case)

    assert await past_cases(desk, by_link, await look(desk, by_link, case)) is None


async def test_what_is_hidden_from_somebody_is_hidden_in_earlier_cases_and_counts_in_nothing(
    desk: Desk, cast: Cast, policy_path: Path
) -> None:
    policy = POLICY.replace(
        '    explain: "{{action.arguments.amount}} to {{action.arguments.country}}"\n', ""
    )
    mask = 'masks:\n  - {path: "action.arguments.iban", hide_from: [operator]}\n'
    write(policy_path, policy + mask)
    same_iban = await ask(desk, cast, amount=90_000, iban="DE02-secret")
    near_amount = await ask(desk, cast, amount=12_100, iban="FR99-other")
    for one in (same_iban, near_amount):
        await approve(desk, cast.sofia, one)
    case = await ask(desk, cast, iban="DE02-secret")

    seen_by_omar = await found(desk, cast.omar, case)

    assert [one.case.id for one in seen_by_omar.cases] == [near_amount, same_iban]
    assert "secret" not in repr([one.differences for one in seen_by_omar.cases])
    assert "FR99" not in repr([one.differences for one in seen_by_omar.cases])
    assert "FR99-other" in repr([one.differences for one in (await found(desk, cast.sofia, case)).cases])


async def test_an_earlier_case_of_two_megabytes_is_listed_and_not_read(desk: Desk, cast: Cast) -> None:
    for number in range(2):
        action = read_action(
            {"tool": "wire_transfer", "arguments": {"amount": 12_500 + number, "country": "FR"}}
        )
        steps = [{"kind": "note", "text": "x" * 60_000}] * 30
        answer = await request_approval(desk, cast.ada, action, read_material({"reasoning": steps}))
        await approve(desk, cast.omar, answer.escalation_id)
    case = await ask(desk, cast)

    similar = await found(desk, cast.omar, case)

    assert [one.known for one in similar.cases] == [True, False]


async def test_the_very_same_action_is_not_named_where_some_of_it_is_hidden(
    desk: Desk, cast: Cast, policy_path: Path, clock: HandClock
) -> None:
    masks = "masks: [{path: action.arguments.pin, hide_from: [operator]}]\ntriggers:"
    write(policy_path, POLICY.replace("triggers:", masks, 1))
    clock.advance(5)
    same, other = [await ask(desk, cast, pin=pin) for pin in ("0420", "0421")]
    await approve(desk, cast.sofia, same)
    clock.advance(1)
    await approve(desk, cast.sofia, other)
    clock.advance(60)
    case = await ask(desk, cast, pin="0420")

    whole, hidden = await found(desk, cast.sofia, case), await found(desk, cast.omar, case)

    assert [(one.case.id, one.same_action) for one in whole.cases] == [(same, True), (other, False)]
    assert [(one.case.id, one.same_action) for one in hidden.cases] == [(other, False), (same, False)]


async def test_what_only_python_calls_equal_is_a_difference(desk: Desk, cast: Cast, clock: HandClock) -> None:
    then = await ask(desk, cast, dry_run=1, deep=[False])
    await approve(desk, cast.omar, then)
    clock.advance(60)

    similar = await found(desk, cast.omar, await ask(desk, cast, dry_run=True, deep=[0]))

    assert [(one.name, one.then) for one in similar.cases[0].differences] == [
        ("deep", [False]),
        ("dry_run", 1),
    ]
