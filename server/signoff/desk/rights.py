"""Whether somebody may see a case, and may still do what they could when their request began: it may take long to arrive."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from signoff.domain.case import Escalation
from signoff.domain.errors import Forbidden, NotFound
from signoff.domain.people import SignIn, may_see_case
from signoff.store.reader import Reader


async def still(reader: Reader, sign_in: SignIn, now: datetime) -> SignIn:
    """Return a sign-in with its person as they stand now: roles and queues, not those of when the request began.

    Whatever changes something, or shows what not everybody sees, asks this in its own transaction.

    Args:
        reader: Of that transaction.
        now: Its instant.

    Raises:
        Forbidden: The person was disabled, or the sign-in session has ended or run out.
    """
    person = await reader.person(sign_in.person.id)
    if person is None or person.disabled_at is not None:
        raise Forbidden("You are not signed in.")
    if sign_in.session_id:  # no session stands behind the command line
        session = await reader.sign_ins.session(sign_in.session_id)
        if (
            session is None
            or session.person_id != person.id
            or session.ended_at is not None
            or now >= session.expires_at
        ):
            raise Forbidden("You are not signed in.")
    return replace(sign_in, person=person)


async def case_seen(reader: Reader, sign_in: SignIn, escalation_id: str) -> Escalation:
    """Return a case that a person may see.

    Raises:
        NotFound: It does not exist, or is not theirs to see: the same words, so that nobody learns which.
    """
    case = await reader.case(escalation_id)
    if case is None or not may_see_case(sign_in, case.id, case.queue):
        raise NotFound("There is no such case, or it is not yours to see.")
    return case
