"""Who hears that an admin changed what somebody may do or where their alerts go: the person themselves, and other admins.

The person hears it at the addresses that they had before, so that whoever takes those away cannot keep it from them.
"""

from __future__ import annotations

from typing import cast, get_args

from signoff.domain.alert import Alert, AlertDraft, RightsChange, RightsChanged
from signoff.domain.duty import chosen
from signoff.domain.people import Person, SignIn
from signoff.store.reader import Reader
from signoff.store.unit import Unit


async def tell_of_change(unit: Unit, before: Person, what: RightsChange, *, by: SignIn | None) -> None:
    """Tell of a change that somebody made on a page, about others or themselves.

    Args:
        before: The person as they were; as they are, where they are new.
        by: Who did it; None for the command line, whose people hold the server and everything in it.
    """
    if by is None:
        return
    theirs = () if by.person.id == before.id or what == "added" else [one.url for one in before.addresses]
    told = [(before.id, url) for url in theirs]
    for one in await unit.people():
        if "admin" in one.roles and one.disabled_at is None and one.id not in (before.id, by.person.id):
            told += [(one.id, url) for url in chosen(one, "high")]
    # With its place in the log: a second change is told of, too, while the first still waits to be sent.
    about = f"{what} {before.id} {by.person.id} {unit.next_seq}"
    for person_id, url in dict.fromkeys(told):
        await unit.add_alert(
            None, AlertDraft("rights_changed", person_id, url, "high", unit.now, about=about)
        )


async def change_told(reader: Reader, alert: Alert) -> RightsChanged | None:
    """Return what an alert tells of a change."""
    what, person_id, by_id, _ = (alert.about or "").split(" ")
    person, by = await reader.person(person_id), await reader.person(by_id)
    if what not in get_args(RightsChange) or person is None or by is None:
        return None
    return RightsChanged(cast(RightsChange, what), person.name, by.name, mine=person.id == alert.person_id)
