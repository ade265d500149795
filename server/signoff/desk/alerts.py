"""What stands in the outbox, for whoever looks after the server."""

from __future__ import annotations

from dataclasses import dataclass

from signoff.desk.desk import Desk
from signoff.domain.alert import Alert, Attempt
from signoff.domain.errors import NotFound


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert, to whom it goes, and every try to send it. Holds an address: show it masked."""

    alert: Alert
    state: str
    person_name: str
    attempts: tuple[Attempt, ...]


async def list_alerts(
    desk: Desk, *, escalation_id: str | None = None, state: str | None = None, most: int = 20
) -> list[AlertLine]:
    """Return the newest alerts, newest first.

    Args:
        escalation_id: Only those of one case.
        state: Only those in one state.

    Raises:
        NotFound: There is no such case.
    """
    async with desk.store.reading() as reader:
        if escalation_id is None:
            found = await reader.alerts_lately(most, state=state)
        else:
            if await reader.case(escalation_id) is None:
                raise NotFound("There is no such case. Check its id.")
            of_case = await reader.alerts_of_case(escalation_id)
            found = [one for one in reversed(of_case) if state in (None, one[1])][:most]
        names = {one.id: one.name for one in await reader.people()}
        return [
            AlertLine(
                alert,
                held,
                names.get(alert.person_id, alert.person_id),
                tuple(await reader.attempts_of_alert(alert.id)),
            )
            for alert, held in found
        ]
