"""Legal holds: what must not be erased, whoever asks and however old it is, until the hold is lifted."""

from __future__ import annotations

from signoff.desk.desk import Desk
from signoff.domain.canonical import canonical, check_value
from signoff.domain.erasure import Hold
from signoff.domain.errors import Conflict, InvalidRequest, LimitExceeded, NotFound
from signoff.domain.event import SYSTEM, Draft
from signoff.store.unit import Unit

MAX_REASON_CHARS = 2000
MAX_SUBJECT_CHARS = 200


async def place_hold(
    desk: Desk, *, reason: str, by: str | None, case: str | None = None, subject: str | None = None
) -> Hold:
    """Keep one case, or all cases about somebody, from being erased; cases that come later are kept, too.

    Args:
        by: Id of the person who says so.
        subject: The id that bundles give as `subject.id`.

    Raises:
        InvalidRequest: Neither or both of case and subject, or no reason.
        LimitExceeded: A text over its limit.
        NotFound: There is no such case.
    """
    if (case is None) == (subject is None):
        raise InvalidRequest("name one case or one subject.", field="case")
    check_reason(reason)
    payloads = {"reason": canonical({"reason": reason})}
    if subject is not None:
        check_value(subject, field="subject")
        if not 0 < len(subject) <= MAX_SUBJECT_CHARS:
            raise LimitExceeded(
                "subject", f"1 to {MAX_SUBJECT_CHARS} characters", f"{len(subject)} characters"
            )
        payloads["subject"] = canonical({"subject": subject})

    async def move(unit: Unit) -> Hold:
        if case is not None and await unit.case(case) is None:
            raise NotFound("There is no such case. Check the id.")
        hold_id = unit.new_id("hld")
        data = {"hold": hold_id, "on": "case" if case is not None else "subject", "by": by}
        seq = await unit.record(Draft("hold.placed", unit.now, SYSTEM, data, case), payloads)
        await unit.add_hold(hold_id, escalation_id=case, seq=seq, by=by)
        return Hold(hold_id, case, subject, reason, seq, unit.now, by)

    return await desk.store.write(move)


async def lift_hold(desk: Desk, hold_id: str, *, reason: str, by: str | None) -> None:
    """End a hold; what it kept may be erased again.

    Raises:
        InvalidRequest: No reason.
        LimitExceeded: The reason is over its limit.
        NotFound: There is no such hold.
        Conflict: It was lifted before.
    """
    check_reason(reason)

    async def move(unit: Unit) -> None:
        hold = next((one for one in await unit.holds() if one.id == hold_id), None)
        if hold is None:
            raise NotFound("There is no such hold. `signoff hold list` names them.")
        if hold.lifted_at is not None:
            raise Conflict(f"Hold {hold_id} was lifted already.")
        data = {"hold": hold_id, "by": by}
        seq = await unit.record(
            Draft("hold.lifted", unit.now, SYSTEM, data, hold.escalation_id),
            {"reason": canonical({"reason": reason})},
        )
        await unit.lift_hold(hold_id, seq=seq, by=by)

    await desk.store.write(move)


async def list_holds(desk: Desk) -> list[Hold]:
    """Return every hold, oldest first, the lifted ones too."""
    async with desk.store.reading() as reader:
        return await reader.holds()


def check_reason(reason: str) -> None:
    """Refuse a reason that is none, or is too long.

    Raises:
        InvalidRequest: It is empty.
        LimitExceeded: Over 2,000 characters.
    """
    check_value(reason, field="reason")
    if not reason.strip():
        raise InvalidRequest("say why.", field="reason")
    if len(reason) > MAX_REASON_CHARS:
        raise LimitExceeded("reason", f"{MAX_REASON_CHARS} characters", f"{len(reason)} characters")
