"""Whether somebody may still do what they could when their request began: a request may take long to arrive."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from signoff.domain.errors import Forbidden
from signoff.domain.people import SignIn
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
