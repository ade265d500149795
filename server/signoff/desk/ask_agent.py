"""Ask the agent of a case something, and take its answer. The answer is material: shown as the agent's, never as ours."""

from __future__ import annotations

from dataclasses import replace

from signoff.desk.answer import Answer, tell
from signoff.desk.decide import lost, seen
from signoff.desk.desk import Desk
from signoff.desk.escalate import addressed, drafts, take_up
from signoff.desk.look import CaseView
from signoff.desk.request import check_key, first_case
from signoff.desk.rights import case_seen, still
from signoff.domain.alert import AlertDraft
from signoff.domain.bundle import Material
from signoff.domain.canonical import canonical, digest
from signoff.domain.errors import AlreadyDecided, InvalidRequest, NotFound
from signoff.domain.escalation import Escalation
from signoff.domain.handling import acknowledged
from signoff.domain.people import Agent, SignIn, may_see_case
from signoff.domain.question import check_answer_text, checked_question, question_answered, question_asked
from signoff.domain.secrets import mask_secrets
from signoff.store.unit import Unit


async def ask_agent(desk: Desk, sign_in: SignIn, escalation_id: str, question: str) -> CaseView:
    """Put a question to a case's agent, which learns of it from the call in which it waits.

    Whoever asks has the case in hand: where they had not said so, this acknowledges it. The deadline stays, and anybody
    may decide before the answer comes. Secrets in the question are masked.

    Raises:
        NotFound: Not this person's to see.
        AlreadyDecided: It has ended.
        Forbidden: They could not decide it.
        Conflict: A question is open already.
        InvalidRequest: The question is empty.
        LimitExceeded: It is over 2,000 characters.
    """
    text = checked_question(question)
    document = canonical(mask_secrets({"question": text})[0])

    async def move(unit: Unit) -> None:
        by = await still(unit, sign_in, unit.now)
        case = await case_seen(unit, by, escalation_id)
        agent = await unit.agent(case.agent_id)
        owner = agent.owner if agent else None
        policy = desk.policy.current()
        try:
            change = question_asked(case, document, by=by, owner=owner, now=unit.now)
        except AlreadyDecided:
            if case.is_open:  # its deadline has passed, and the clock has not come by yet
                raise
            raise await lost(unit, case) from None
        case = await unit.apply(change)
        if case.acknowledged_by != by.person.id:
            tiers = policy.policy.queue_named(case.queue).tiers
            case = await unit.apply(acknowledged(case, by=by, owner=owner, tiers=tiers, now=unit.now))
        await take_up(unit, case, policy)

    await desk.store.write(move)
    return await seen(desk, sign_in, escalation_id)


async def answer_question(
    desk: Desk,
    agent: Agent,
    escalation_id: str,
    text: str,
    *,
    additions: Material | None = None,
    number: int | None = None,
    idempotency_key: str | None = None,
) -> Answer:
    """Take the agent's answer to the question that is open in its own case, and return the case.

    Whoever asked is alerted. Secrets in the answer are masked before anything is stored.

    Args:
        additions: What the agent adds to its bundle, of the same form; at most 256 KB.
        number: Of the question that it answers; None for the one that is open.

    Raises:
        NotFound: No such case of this agent.
        AlreadyDecided: It has ended.
        Conflict: Nothing is asked, or another question, or the key was used for something else.
        InvalidRequest: The answer is empty, or the additions have no canonical form.
        LimitExceeded: It is over 16,000 characters, or the additions are too large.
    """
    if additions is not None and additions.attachments:
        raise InvalidRequest(
            "cannot come with an answer. Say in words what they show.", field="additions.attachments"
        )
    added = {} if additions is None else additions.checked().as_json()
    check_answer_text(text, added)
    check_key(idempotency_key)
    given = {"answer": text.strip(), "additions": added}
    input_digest = digest({"escalation_id": escalation_id, "number": number, **given})
    masked, where = mask_secrets(given)
    document = canonical({**masked, "masked": list(where)})

    async def move(unit: Unit) -> Escalation:
        case = await unit.case(escalation_id)
        if case is None or case.agent_id != agent.id:
            raise NotFound("There is no such escalation of yours. Check the escalation_id.")
        first = await first_case(unit, agent, idempotency_key, verb="answer", input_digest=input_digest)
        if first is not None:
            return first
        asked_by = case.questioned_by
        change = question_answered(case, document, by=agent.actor, number=number, now=unit.now)
        change = replace(change, alerts=await _alerts_to(unit, change.case, asked_by))
        after = await take_up(unit, await unit.apply(change), desk.policy.current())
        if idempotency_key is not None:
            await unit.keep_first_answer(
                agent.id, idempotency_key, verb="answer", input_digest=input_digest, escalation_id=case.id
            )
        return after

    return await tell(desk, await desk.store.write(move))


async def _alerts_to(unit: Unit, case: Escalation, person_id: str | None) -> tuple[AlertDraft, ...]:
    """Return the alerts to whoever asked; none where they are gone, or see the case no more."""
    person = None if person_id is None else await unit.person(person_id)
    if person is None or not may_see_case(SignIn(person, "link"), case.id, case.queue):
        return ()
    return drafts("answered", case, await addressed(unit, case, person), unit.now)
