"""Sign-in sessions, links that were asked for, and challenges that passkeys have signed, as they are stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from signoff.domain.clock import to_text
from signoff.domain.people import SignInRequest, SignInSession
from signoff.store import rows

REQUESTS_KEPT_FOR = timedelta(days=1)


class SignIns:
    """What can be read."""

    def __init__(self, connection: Any, queries: Any) -> None:
        self._connection = connection
        self._q = queries

    async def session(self, session_id: str) -> SignInSession | None:
        """Return a sign-in session by its id; None for any text that is no id."""
        if not session_id.isascii():
            return None
        row = await self._q.sign_in_by_id(self._connection, id=session_id)
        return None if row is None else rows.sign_in(row)

    async def open_of(self, person_id: str, now: datetime) -> list[SignInSession]:
        """Return a person's sign-in sessions that are still good, newest first."""
        found = self._q.open_sign_ins_of(self._connection, person_id=person_id, now=to_text(now))
        return [rows.sign_in(row) async for row in found]

    async def open(self, now: datetime) -> list[SignInSession]:
        """Return everybody's sign-in sessions that are still good, newest first."""
        return [rows.sign_in(row) async for row in self._q.open_sign_ins(self._connection, now=to_text(now))]

    async def any(self) -> bool:
        """Say whether anybody has ever signed in."""
        return bool((await self._q.any_sign_in(self._connection))["found"])

    async def count_requests(self, person_id: str, since: datetime) -> int:
        """Return how often a link was asked for in a person's name; one for several addresses counts once."""
        row = await self._q.count_sign_in_requests(
            self._connection, person_id=person_id, since=to_text(since)
        )
        return int(row["n"])

    async def next_request_due(self) -> str | None:
        """Return when a link next has to be sent."""
        due_at: str | None = (await self._q.next_sign_in_request_due(self._connection))["due_at"]
        return due_at

    async def request_of_link(self, link_id: str) -> SignInRequest | None:
        """Return the request that a link answers; None for a link that nobody asked for on a page."""
        row = await self._q.sign_in_request_of_link(self._connection, link_id=link_id)
        return None if row is None else rows.sign_in_request(row)


class SignInMoves(SignIns):
    """What can be written besides; sessions themselves begin and end in `Unit`, with their events."""

    def __init__(self, connection: Any, queries: Any, *, now: datetime, new_id: Callable[[str], str]) -> None:
        super().__init__(connection, queries)
        self._now = now
        self._new_id = new_id

    async def ask(self, person_id: str | None, *, place: int, back_to: str | None) -> None:
        """Put a request for a link into the outbox; one without a person is only written down."""
        before = to_text(self._now - REQUESTS_KEPT_FOR)
        await self._q.forget_sign_in_requests(self._connection, before=before)
        await self._q.add_sign_in_request(
            self._connection,
            id=self._new_id("sir"),
            person_id=person_id,
            place=place,
            back_to=back_to,
            asked_at=to_text(self._now),
            state="dropped" if person_id is None else "waiting",
        )

    async def lease(self, owner: str, *, until: datetime, most: int) -> list[SignInRequest]:
        """Take requests that are due, oldest first; each comes with its attempt counted."""
        found = self._q.lease_sign_in_requests(
            self._connection, now=to_text(self._now), until=to_text(until), owner=owner, most=most
        )
        taken = [rows.sign_in_request(row) async for row in found]
        return sorted(taken, key=lambda one: (one.asked_at, one.place))

    async def put_on_its_way(self, request: SignInRequest, link_id: str) -> None:
        """Remember which link is sent; the one of an earlier try opens nothing any more."""
        if request.link_id is not None:
            await self.revoke_link(request.link_id)
        await self._q.link_sign_in_request(self._connection, id=request.id, link_id=link_id)

    async def revoke_link(self, link_id: str) -> None:
        """Let an unused link open nothing."""
        await self._q.revoke_link(self._connection, id=link_id, revoked_at=to_text(self._now))

    async def revoke_set_up_links(self) -> None:
        """Let no earlier link set the home up."""
        await self._q.revoke_set_up_links(self._connection, revoked_at=to_text(self._now))

    async def finish(self, request_id: str, owner: str, *, state: str) -> bool:
        """Record how sending ended; False if the lease was lost or the request dropped."""
        row = await self._q.finish_sign_in_request(self._connection, id=request_id, owner=owner, state=state)
        return row is not None

    async def delay(self, request_id: str, owner: str, *, due_at: datetime) -> None:
        """Try again later."""
        await self._q.delay_sign_in_request(
            self._connection, id=request_id, owner=owner, due_at=to_text(due_at)
        )

    async def forget_requests_of(self, person_id: str) -> None:
        """Send no more links to somebody, and let those open nothing that were asked for and not used."""
        await self._q.revoke_asked_links(self._connection, person_id=person_id, revoked_at=to_text(self._now))
        await self._q.drop_sign_in_requests(self._connection, person_id=person_id)

    async def spend_challenge(self, challenge: bytes, *, good_for: timedelta) -> bool:
        """Use a challenge; False if it was used before. Those too old to be taken are forgotten."""
        await self._q.forget_challenges(self._connection, before=to_text(self._now - 2 * good_for))
        row = await self._q.spend_challenge(
            self._connection, challenge=challenge, spent_at=to_text(self._now)
        )
        return row is not None
