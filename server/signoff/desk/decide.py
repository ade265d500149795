"""Take a person's decision, or take it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from signoff.desk.answering import check_answer, proposed_of
from signoff.desk.canaries import answer_canary
from signoff.desk.desk import Desk
from signoff.desk.escalate import alerts_anew, at_deadline, take_up
from signoff.desk.look import CaseView, view_of
from signoff.desk.moment import moment
from signoff.desk.receipts import with_receipt
from signoff.desk.rights import still
from signoff.desk.signing import Proof, check_proof, signatures
from signoff.domain.decision import Answer
from signoff.domain.errors import AlreadyDecided, Stale
from signoff.domain.escalation import Escalation, decided, final_digest_of, undone
from signoff.domain.people import SignIn, unsigned
from signoff.store.reader import Reader
from signoff.store.unit import Unit

AFTER_UNDO = timedelta(minutes=5)
"""Time to decide again after taking a decision back."""


async def decide(
    desk: Desk,
    sign_in: SignIn,
    escalation_id: str,
    answer: Answer,
    *,
    version: int,
    view_digest: str,
    proof: Proof | None = None,
) -> CaseView:
    """Take a decision, and return the case after it, once it is on disk with its receipt.

    Args:
        version: Of the case as the page showed it.
        view_digest: Of the view that the page showed.
        proof: What the person signed with a passkey (`signing.challenge`); only it gives assurance `passkey`.

    Raises:
        NotFound: Not this person's to see.
        AlreadyDecided: Someone was first; `status` and `decided_by` (names) say how it ended.
        Stale: The case changed since the page was shown; nothing was decided.
        Forbidden: This person may not decide it, or change what is hidden from them.
        StepUpNeeded: It needs a surer sign-in.
        PasskeyInvalid: What was signed is not this decision by this person.
        InvalidRequest: Names the field at fault: note, arguments or response.
    """

    async def move(unit: Unit) -> Escalation | AlreadyDecided | Stale:
        now_in = await still(unit, sign_in, unit.now)
        view = await view_of(desk, unit, now_in, escalation_id, now=unit.now)
        case = view.case
        if case.is_open and unit.now >= case.deadline_at:
            after = await unit.apply(await at_deadline(unit, case, desk.policy.current()))
            if after.is_open:
                return Stale(
                    "The time was up and the next tier was alerted. Look at the case again, then decide."
                )
            return AlreadyDecided(case.id, "expired", "")
        if not case.is_open:
            raise await lost(unit, case)
        if (version, view_digest) != (case.version, view.view_digest):
            raise Stale("The case changed after this page was shown. Look at it again, then decide.")
        await check_answer(view, answer)
        by = await _surely(unit, desk, now_in, view, answer, proof)
        agent = await unit.agent(case.agent_id)
        decision_id = unit.new_id("dec")
        change = decided(
            case,
            answer,
            proposed=proposed_of(view),
            by=by,
            owner=agent.owner if agent else None,
            decision_id=decision_id,
            view_digest=view_digest,
            now=unit.now,
            undo_s=desk.settings.undo_s,
            signed=None if proof is None else proof.signed.as_json(),
        )
        canary = await unit.insight.canary(case.id)
        if canary is not None:  # whoever may not decide a case was refused above, as for any other
            return await answer_canary(unit, case, canary, answer, by=by)
        if proof is not None:
            change = replace(change, salts={"decision": proof.salt})
        change = with_receipt(
            desk,
            change,
            receipt_id=decision_id,
            seq=unit.next_seq,
            now=unit.now,
            by=by,
            signed=await signatures(unit, change, proof),
        )
        return await unit.apply(change)

    made = await desk.store.write(move)
    if isinstance(made, (AlreadyDecided, Stale)):
        raise made
    return await seen(desk, sign_in, escalation_id)


async def undo(desk: Desk, sign_in: SignIn, escalation_id: str) -> CaseView:
    """Take one's own decision back before the agent is told, and return the case, open again.

    People are alerted anew: their links ended with the decision.

    Raises:
        NotFound: Not this person's to see.
        Conflict: There is nothing to take back, or the agent has been told.
        Forbidden: Somebody else decided.
    """

    async def move(unit: Unit) -> None:
        by = await still(unit, sign_in, unit.now)
        view = await view_of(desk, unit, by, escalation_id, now=unit.now)
        decisions = await unit.decisions(escalation_id)
        change = undone(
            view.case,
            decision_id=decisions[-1].id if decisions else "",
            by=by,
            now=unit.now,
            deadline_at=unit.now + AFTER_UNDO,
        )
        # Deciding dropped the alerts and revoked the links; the case waits for people again.
        policy = desk.policy.current()
        tiers = policy.policy.queue_named(change.case.queue).tiers
        change = replace(change, alerts=await alerts_anew(unit, change.case, tiers))
        await take_up(unit, await unit.apply(change), policy)

    await desk.store.write(move)
    return await seen(desk, sign_in, escalation_id)


async def _surely(
    unit: Unit, desk: Desk, sign_in: SignIn, view: CaseView, answer: Answer, proof: Proof | None
) -> SignIn:
    """Return how sure it is who decides: a passkey counts for the decision that it signed, and for no other."""
    if proof is None:
        return unsigned(sign_in)
    return await check_proof(
        unit,
        desk,
        sign_in,
        view.case,
        answer,
        proof=proof,
        final_digest=final_digest_of(view.case, answer, proposed_of(view)),
        view_digest=view.view_digest,
    )


async def seen(desk: Desk, sign_in: SignIn, escalation_id: str) -> CaseView:
    """Return a case as a person sees it after what they did."""
    async with desk.store.reading() as reader:
        return await view_of(desk, reader, sign_in, escalation_id, now=await moment(desk, reader))


async def lost(reader: Reader, case: Escalation) -> AlreadyDecided:
    """Return the error that tells a loser, by name, who was first."""
    people = [await reader.person(one) for one in case.decided_by]
    return AlreadyDecided(case.id, case.status, ", ".join(one.name for one in people if one is not None))
