"""Asking the agent something before deciding: who may, what the answer changes, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests._support.cases import SALE, approve, ask, verified
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.desk.test_tiers import case_of, events, told, write
from tests.promises import promise

from signoff.desk.ask_agent import answer_question, ask_agent
from signoff.desk.close import cancel, expire
from signoff.desk.decide import decide, undo
from signoff.desk.deliver import lease
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.erase import erase_case
from signoff.desk.look import look
from signoff.desk.people import add_person, disable_person
from signoff.desk.wait import wait_for_decision
from signoff.domain.bundle import Material, read_material
from signoff.domain.decision import Answer
from signoff.domain.erasure import check_kinds
from signoff.domain.errors import (
    AlreadyDecided,
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    Stale,
)
from signoff.domain.people import SignIn
from signoff.domain.question import MAX_QUESTIONS

WHY = "Has the supplier been paid before?"


@pytest.fixture(autouse=True)
def policy(policy_path: Path) -> Path:
    write(policy_path)
    return policy_path


@pytest.fixture
def slow(desk: Desk) -> Desk:
    """A desk where a decision can be taken back for ten seconds."""
    return replace(desk, settings=DeskSettings(base_url=desk.settings.base_url, undo_s=10))


def hide(path: Path, field: str) -> None:
    """Let the policy hide a field from operators."""
    write(path)
    mask = f"masks:\n  - {{path: {field}, hide_from: [operator]}}\n"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("triggers:\n", f"{mask}triggers:\n", 1), encoding="utf-8")


async def asked(desk: Desk, cast: Cast, **more: Any) -> str:
    """Open a case and put a question to its agent."""
    case = (await ask(desk, cast.ada, **more)).escalation_id
    await ask_agent(desk, cast.omar, case, WHY)
    return case


async def test_the_agent_reads_the_question_and_the_person_the_answer(desk: Desk, cast: Cast) -> None:
    case = await asked(desk, cast)

    question = (await wait_for_decision(desk, cast.ada, case)).question
    assert question is not None
    assert (question["number"], question["text"]) == (1, WHY)
    more = read_material({"reasoning": [{"kind": "note", "text": "looked at the ledger"}]})
    answered = await answer_question(desk, cast.ada, case, "Twice.", additions=more, number=1)

    assert (answered.status, answered.question) == ("pending", None)
    (shown,) = (await look(desk, cast.sofia, case)).questions
    assert (shown.person_name, shown.text, shown.answer) == ("Omar", WHY, "Twice.")
    assert shown.additions == {"reasoning": [{"kind": "note", "text": "looked at the ledger"}]}
    assert (await verified(desk)).problems == ()


async def test_a_waiting_agent_learns_of_a_question_at_once(desk: Desk, cast: Cast) -> None:
    case = (await ask(desk, cast.ada)).escalation_id
    told_to_agent = []

    async def wait() -> None:
        told_to_agent.append(await wait_for_decision(desk, cast.ada, case, wait_s=45))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await ask_agent(desk, cast.omar, case, WHY)

    question = told_to_agent[0].question
    assert question is not None
    assert question["text"] == WHY
    assert "answer_question" in told_to_agent[0].next_step


async def test_a_client_that_only_repeats_its_call_does_not_spin_on_an_open_question(
    desk: Desk, cast: Cast
) -> None:
    case = await asked(desk, cast)
    began = anyio.current_time()

    with anyio.fail_after(5):
        answer = await wait_for_decision(desk, cast.ada, case, wait_s=45)

    assert answer.question is not None
    assert anyio.current_time() - began >= 1


@promise("fail-closed")
async def test_an_answer_makes_the_page_before_it_stale_and_a_question_does_not(
    desk: Desk, cast: Cast
) -> None:
    case = (await ask(desk, cast.ada)).escalation_id
    before = await look(desk, cast.sofia, case)
    await ask_agent(desk, cast.omar, case, WHY)
    after_question = await look(desk, cast.sofia, case)
    assert (before.case.version, before.view_digest) == (
        after_question.case.version,
        after_question.view_digest,
    )

    await answer_question(desk, cast.ada, case, "No, never.")

    with pytest.raises(Stale):
        await decide(
            desk, cast.sofia, case, Answer("approve"),
            version=before.case.version, view_digest=before.view_digest,
        )  # fmt: skip
    assert (await look(desk, cast.sofia, case)).view_digest != before.view_digest
    assert (await approve(desk, cast.sofia, case)).case.status == "approved"


async def test_people_decide_without_waiting_for_the_answer(desk: Desk, cast: Cast) -> None:
    case = await asked(desk, cast)

    assert (await approve(desk, cast.sofia, case)).case.status == "approved"

    with pytest.raises(AlreadyDecided):
        await answer_question(desk, cast.ada, case, "Too late.")
    assert (await wait_for_decision(desk, cast.ada, case)).question is None
    assert (await verified(desk)).problems == ()


@promise("one-decision")
async def test_a_decision_that_can_be_taken_back_changes_nothing_of_what_the_agent_is_asked(
    slow: Desk, cast: Cast, clock: HandClock
) -> None:
    case = await asked(slow, cast)
    before = await wait_for_decision(slow, cast.ada, case)

    await approve(slow, cast.omar, case)

    during = await wait_for_decision(slow, cast.ada, case)
    assert (during.status, during.question, during.next_step) == (
        "pending",
        before.question,
        before.next_step,
    )
    with pytest.raises(Conflict) as refused:
        await answer_question(slow, cast.ada, case, "Twice.")
    assert "decided" not in refused.value.message
    await undo(slow, cast.omar, case)
    await answer_question(slow, cast.ada, case, "Twice.")
    assert (await look(slow, cast.omar, case)).questions[0].answer == "Twice."
    assert (await verified(slow)).problems == ()


async def test_a_question_holds_up_no_deadline(desk: Desk, cast: Cast, clock: HandClock) -> None:
    case = await asked(desk, cast)
    deadline_at = (await case_of(desk, case)).deadline_at
    clock.advance(timedelta(hours=4).total_seconds())

    with pytest.raises(AlreadyDecided):
        await answer_question(desk, cast.ada, case, "Twice.")
    with pytest.raises(AlreadyDecided):
        await ask_agent(desk, cast.omar, case, "And now?")
    ended = await expire(desk, case)

    assert (ended.status, ended.deadline_at) == ("expired", deadline_at)
    assert (await wait_for_decision(desk, cast.ada, case)).question is None
    assert (await verified(desk)).problems == ()


async def test_whoever_asks_has_the_case_in_hand(desk: Desk, cast: Cast, clock: HandClock) -> None:
    case = (await ask(desk, cast.ada)).escalation_id
    await told(desk)
    clock.advance(9 * 60)

    await ask_agent(desk, cast.omar, case, WHY)

    assert (await case_of(desk, case)).acknowledged_by == cast.omar.person.id
    clock.advance(9 * 60)
    assert await told(desk) == []
    assert len(await events(desk, case, "escalation.acknowledged")) == 1


async def test_whoever_asked_is_alerted_when_the_answer_comes_and_nobody_else(desk: Desk, cast: Cast) -> None:
    case = await asked(desk, cast)
    await told(desk)

    await answer_question(desk, cast.ada, case, "Twice, by check. A secret word.")

    (errand,) = await lease(desk, "worker")
    assert (errand.alert.kind, errand.person.name) == ("answered", "Omar")
    assert "/d/" in errand.link_url


async def test_nobody_is_alerted_where_whoever_asked_is_gone(desk: Desk, cast: Cast) -> None:
    olga = await add_person(desk, "Olga", roles=["operator"], addresses=("terminal:",))
    case = (await ask(desk, cast.ada)).escalation_id
    await ask_agent(desk, SignIn(olga, "session"), case, WHY)
    await disable_person(desk, "Olga")
    await told(desk)

    await answer_question(desk, cast.ada, case, "Twice.")

    assert await told(desk) == []
    assert (await look(desk, cast.omar, case)).questions[0].answer == "Twice."


async def test_one_question_is_open_at_a_time_and_twenty_are_enough(desk: Desk, cast: Cast) -> None:
    case = await asked(desk, cast)
    with pytest.raises(Conflict):
        await ask_agent(desk, cast.sofia, case, "Another one?")
    assert not (await look(desk, cast.sofia, case)).may_ask
    await answer_question(desk, cast.ada, case, "One.")
    for _ in range(MAX_QUESTIONS - 1):
        await ask_agent(desk, cast.sofia, case, "Another one?")
        await answer_question(desk, cast.ada, case, "One more.")

    with pytest.raises(Conflict):
        await ask_agent(desk, cast.sofia, case, "Another one?")

    assert [one.number for one in (await look(desk, cast.omar, case)).questions] == [*range(1, 21)]
    assert (await verified(desk)).problems == ()


@promise("same-key-same-case")
async def test_an_answer_to_an_earlier_question_does_not_answer_the_next(desk: Desk, cast: Cast) -> None:
    case = await asked(desk, cast)
    first = await answer_question(desk, cast.ada, case, "Twice.", number=1, idempotency_key="k")
    await ask_agent(desk, cast.omar, case, "When?")

    again = await answer_question(desk, cast.ada, case, "Twice.", number=1, idempotency_key="k")
    with pytest.raises(Conflict):
        await answer_question(desk, cast.ada, case, "Twice.", number=1)
    with pytest.raises(Conflict):
        await answer_question(desk, cast.ada, case, "Thrice.", number=1, idempotency_key="k")

    assert (first.question, again.status) == (None, "pending")
    assert again.question is not None
    assert again.question["text"] == "When?"
    assert (await look(desk, cast.omar, case)).questions[1].answer is None


@promise("only-that-human")
async def test_only_its_own_agent_answers_and_only_people_who_could_decide_ask(
    desk: Desk, cast: Cast
) -> None:
    case = await asked(desk, cast)
    with pytest.raises(NotFound):
        await answer_question(desk, cast.bea, case, "I say yes.")
    with pytest.raises(Forbidden):
        await ask_agent(desk, cast.amir, case, WHY)
    with pytest.raises(Conflict):
        await answer_question(desk, cast.ada, (await ask(desk, cast.ada)).escalation_id, "Unasked.")
    quorum = (await ask(desk, cast.ada, SALE)).escalation_id
    await approve(desk, cast.omar, quorum)
    with pytest.raises(Forbidden):
        await ask_agent(desk, cast.omar, quorum, WHY)


async def test_approvals_so_far_stand_when_an_answer_comes(desk: Desk, cast: Cast) -> None:
    case = (await ask(desk, cast.ada, SALE)).escalation_id
    await approve(desk, cast.omar, case)
    await ask_agent(desk, cast.sofia, case, WHY)
    await answer_question(desk, cast.ada, case, "Twice.")

    assert (await approve(desk, cast.sofia, case)).case.status == "approved"
    assert (await verified(desk)).problems == ()


async def test_masks_hide_an_answer_like_the_bundle_that_it_adds_to(
    desk: Desk, cast: Cast, policy_path: Path
) -> None:
    case = await asked(desk, cast)
    more = read_material({"state": {"iban": "DE02"}, "subject": {"name": "Erika"}})
    await answer_question(desk, cast.ada, case, "It is Erika.", additions=more)
    hide(policy_path, "bundle.subject.name")
    (shown,) = (await look(desk, cast.omar, case)).questions
    assert shown.additions == {"state": {"iban": "DE02"}, "subject": {"name": "[hidden by policy]"}}
    hide(policy_path, "bundle.answer")
    (shown,) = (await look(desk, cast.omar, case)).questions
    assert (shown.answer, shown.additions) == ("[hidden by policy]", more.as_json())
    (shown,) = (await look(desk, cast.sofia, case)).questions
    assert (shown.answer, shown.additions["subject"]) == ("It is Erika.", {"name": "Erika"})


@promise("no-secret-stored")
async def test_secrets_are_masked_before_anything_is_stored(desk: Desk, cast: Cast) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    case = (await ask(desk, cast.ada)).escalation_id
    await ask_agent(desk, cast.omar, case, f"Is {key} the key?")
    await answer_question(desk, cast.ada, case, f"Yes, {key}.", additions=Material(state={"k": key}))

    (shown,) = (await look(desk, cast.omar, case)).questions

    assert key not in str(shown)
    assert shown.masked == ("answer", "additions.state.k")


@pytest.mark.parametrize(
    ("text", "additions", "error"),
    [
        ("  ", None, InvalidRequest),
        ("a\x00b", None, InvalidRequest),
        ("x" * 16_001, None, LimitExceeded),
        ("yes", Material(state="x" * (256 * 1024)), LimitExceeded),
        ("yes", read_material({"attachments": [{"name": "a", "media_type": "text/plain", "data": "b"}]}), InvalidRequest),
    ],
)  # fmt: skip
async def test_an_answer_that_cannot_be_shown_is_refused_whole(
    desk: Desk, cast: Cast, text: str, additions: Material | None, error: type[Exception]
) -> None:
    case = await asked(desk, cast)
    with pytest.raises(error):
        await answer_question(desk, cast.ada, case, text, additions=additions)
    assert (await look(desk, cast.omar, case)).questions[0].answered_at is None


@pytest.mark.parametrize("text", ["", " \n", "x" * 2001, "a\x00"])
async def test_a_question_that_is_none_is_refused(desk: Desk, cast: Cast, text: str) -> None:
    case = (await ask(desk, cast.ada)).escalation_id
    with pytest.raises(InvalidRequest) as refused:
        await ask_agent(desk, cast.omar, case, text)
    assert refused.value.field == "question"
    assert (await case_of(desk, case)).questions == 0


@promise("erasable")
async def test_what_was_asked_and_answered_is_erased_with_the_case(desk: Desk, cast: Cast) -> None:
    case = await asked(desk, cast)
    await answer_question(desk, cast.ada, case, "Erika, twice.", additions=Material(state="Erika"))
    await cancel(desk, cast.ada, case, reason="done")

    await erase_case(desk, case, kinds=check_kinds([]), by=None)

    (shown,) = (await look(desk, cast.omar, case)).questions
    assert (shown.text, shown.answer, shown.additions) == (None, None, {})
    assert (await verified(desk)).problems == ()
