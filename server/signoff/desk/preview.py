"""An alert about a case as it would be told now, to be looked at: it issues no link and leaves no trace."""

from __future__ import annotations

from datetime import timedelta

from signoff.desk.checkpoints import footer
from signoff.desk.deliver import Errand, Notice, why_of
from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.domain.alert import (
    ASKING,
    TERMINAL,
    About,
    Alert,
    AlertKind,
    DeadLetter,
    Digest,
    InBrief,
    RightsChanged,
    Silence,
)
from signoff.domain.errors import NotFound
from signoff.domain.people import Person

INSTEAD_OF_A_SECRET = "this-is-a-preview-and-opens-nothing--------"  # noqa: S105 - opens nothing, as it says
"""As long as the secret of a link, so that an SMS is cut as it will be."""


async def preview(desk: Desk, escalation_id: str, kind: AlertKind) -> Errand | Notice:
    """Return an alert of a kind about a case; what a kind tells that is about no case is made up.

    Raises:
        NotFound: No such case.
    """
    async with desk.store.reading() as reader:
        case = await reader.case(escalation_id)
        if case is None:
            raise NotFound(f"There is no case {escalation_id}.")
        now = await moment(desk, reader)
        agent = await reader.agent(case.agent_id)
        names = [one.name for one in await reader.people() if one.id in case.decided_by]
        why, anchor = await why_of(desk, reader, case), await footer(reader)
    base = desk.settings.base_url
    page = f"{base}/cases/{case.id}"
    name = agent.name if agent else case.agent_id
    left = max(int((case.deadline_at - now).total_seconds()), 0)
    person = Person("per_preview", "You", frozenset({"operator"}), frozenset(), (), now)
    alert = Alert(desk.new_id("alr", now), kind, case.id, person.id, TERMINAL, case.urgency, now, attempts=1)
    brief = (InBrief(case.tool, name, case.urgency, left, page),) * 3
    about: dict[str, About | None] = {
        "digest": Digest(12, 2, ((name, 12),), left, brief),
        "dead_letter": DeadLetter(alert.id, "You", "mailtos", 10, "no answer within 30 s", 0),
        "rights_changed": RightsChanged("addresses", "You", "Somebody", mine=True),
        "heartbeat": Silence(3, now - timedelta(minutes=3), now - timedelta(minutes=4)),
        "test": None,
    }
    if kind in about:
        return Notice(alert, person, about[kind], f"{base}/", anchor)
    return Errand(
        alert=alert,
        person=person,
        case=case,
        link_url=f"{base}/d/{desk.new_id('lnk', now)}#{INSTEAD_OF_A_SECRET}" if kind in ASKING else page,
        why=why,
        agent_name=name,
        seconds_left=left,
        footer=anchor,
        page_url=page,
        by=tuple(names) or ("Somebody",),
    )
