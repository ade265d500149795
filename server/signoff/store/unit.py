"""Writing: one unit of work inside the writer's transaction, and `apply`, the only function that writes a case."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from signoff.audit import chain
from signoff.audit.chain import Head
from signoff.domain.alert import Alert, AlertDraft, Delivery, Sent
from signoff.domain.change import Change
from signoff.domain.clock import to_text
from signoff.domain.duty import Absence, Override, Rotation
from signoff.domain.errors import Conflict
from signoff.domain.escalation import Escalation
from signoff.domain.event import Actor, Draft, commitment
from signoff.domain.finding import queue_word, words_of
from signoff.domain.hours import Hours
from signoff.domain.ids import NewId
from signoff.domain.people import Address, Agent, Link, Passkey, Person, SignInSession
from signoff.store import rows
from signoff.store.erasure import ErasureWrites
from signoff.store.history import History
from signoff.store.inbox import InboxMoves
from signoff.store.insight import CanaryMoves
from signoff.store.outbox import Outbox
from signoff.store.reader import Reader
from signoff.store.sealing import NO_KEY, Sealing
from signoff.store.sign_ins import SignInMoves

SALT_BYTES = 32


class Batch:
    """What the units of one transaction share: the log's head, and which cases moved."""

    def __init__(self, head: Head, log: str) -> None:
        self.head = head
        self.log = log
        self.changed: set[str] = set()


class Unit(ErasureWrites, Reader):
    """One unit of work: all of it is written, or none.

    `now` is read from the clock once, and never stands before the last event.
    """

    sign_ins: SignInMoves
    inbox: InboxMoves
    insight: CanaryMoves

    def __init__(
        self,
        connection: Any,
        queries: Any,
        *,
        batch: Batch,
        now: datetime,
        new_id: NewId,
        sealing: Sealing = NO_KEY,
    ) -> None:
        super().__init__(connection, queries, sealing)
        self._batch = batch
        self.now = now
        self.new_id: Callable[[str], str] = lambda prefix: new_id(prefix, now)
        self.history = History(connection, queries, now)
        self.outbox: Outbox = Outbox(connection, queries, now=now, new_id=self.new_id)
        self.sign_ins = SignInMoves(connection, queries, now=now, new_id=self.new_id)
        self.inbox = InboxMoves(connection, queries, now=now, changed=batch.changed.add)
        self.insight = CanaryMoves(connection, queries)

    @property
    def next_seq(self) -> int:
        """Return the number that the next event will have."""
        return self._batch.head.size

    async def head(self) -> Head:
        """Return where the log ends within this transaction."""
        return self._batch.head

    async def apply(self, change: Change) -> Escalation:
        """Write a move of a case: the case, its event, payloads, decision, receipt and alerts.

        Raises:
            Conflict: The case is no longer where the move found it; nothing was written.
        """
        case, seq = change.case, self.next_seq
        data = dict(change.draft.data)
        if change.receipt is not None:
            data["receipt"] = rows.receipt_digest(change.receipt)
        await self.record(
            Draft(change.draft.type, change.draft.at, change.draft.actor, data, case.id),
            change.payloads,
            salts=change.salts,
        )
        if case.version == 1 and not change.handles:
            await self._q.add_case(
                self._connection, **rows.fixed_columns(case), **rows.moving_columns(case), opened_seq=seq
            )
            if "bundle" in change.payloads:
                document = orjson.loads(change.payloads["bundle"])
                await self.inbox.add_words(seq, words_of(document, case_id=case.id, queue=case.queue))
        else:
            before = await self.case(case.id) if change.handles and "queue" in data else None
            moved = await self._q.move_case(
                self._connection,
                **rows.moving_columns(case),
                before=case.version - (not change.handles),
                handled_before=case.handled - change.handles,
            )
            if moved is None:
                raise Conflict("The case changed meanwhile. Read it again and retry.")
            # Here and in no verb, so that none can forget it: what the policy counts stands as its case does.
            await self.history.moved(case)
            if before is not None:
                await self.inbox.move_words(case.id, queue_word(before.queue), queue_word(case.queue))
        if change.undoes is not None:
            await self._q.undo_decisions(self._connection, escalation_id=case.id, undone_at=to_text(self.now))
        if change.decision is not None:
            taken = change.decision
            await self._q.add_decision(
                self._connection,
                id=taken.id,
                escalation_id=case.id,
                seq=seq,
                choice=taken.answer.choice,
                person_id=taken.by.person.id,
                roles=rows.to_json(sorted(taken.by.person.roles)),
                assurance=taken.by.assurance,
                decided_at=to_text(self.now),
            )
        if change.receipt is not None:
            await self._q.add_receipt(self._connection, seq=seq, escalation_id=case.id, token=change.receipt)
        if change.closes or change.silences or change.undoes is not None:
            await self._q.drop_alerts_of_case(
                self._connection, escalation_id=case.id, done_at=to_text(self.now)
            )
        for alert in change.alerts:
            await self.add_alert(case.id, alert)
        if change.closes:
            await self.outbox.follow_up(case)
            await self._q.revoke_links_of_case(
                self._connection, escalation_id=case.id, revoked_at=to_text(self.now)
            )
        return case

    async def plan_case(self, escalation_id: str, *, look_at: datetime | None, policy_digest: str) -> None:
        """Say when the tier clock looks at a case next, and by which policy; a move of the case forgets it."""
        await self._q.plan_case(
            self._connection,
            id=escalation_id,
            look_at=rows.optional_text(look_at),
            planned_under=policy_digest,
        )

    async def record(
        self,
        draft: Draft,
        payloads: Mapping[str, bytes] | None = None,
        *,
        salts: Mapping[str, bytes] | None = None,
    ) -> int:
        """Append an event, with what it commits to, and return its number.

        Args:
            salts: Of payloads whose commitment was stated before; others get a fresh one.
        """
        given = salts or {}
        salted = {
            name: (given.get(name) or secrets.token_bytes(SALT_BYTES), body)
            for name, body in (payloads or {}).items()
        }
        data = {**draft.data, **{name: commitment(salt, body) for name, (salt, body) in salted.items()}}
        placed = Draft(draft.type, max(draft.at, self.now), draft.actor, data, draft.escalation_id)
        self._batch.head, made = chain.append(self._batch.head, placed, log=self._batch.log)
        await self._q.add_event(
            self._connection,
            seq=made.seq,
            escalation_id=draft.escalation_id,
            type=draft.type,
            at=made.at,
            leaf=made.leaf_hash,
            body=made.raw,
        )
        for level, index, digest in made.nodes:
            if level > 0:
                await self._q.add_node(self._connection, level=level, idx=index, hash=digest)
        for name, (salt, body) in salted.items():
            await self._q.add_payload(self._connection, seq=made.seq, field=name, salt=salt, body=body)
        if draft.escalation_id is not None:
            self._batch.changed.add(draft.escalation_id)
        return made.seq

    async def add_checkpoint(self, size: int, note: str) -> None:
        """Keep a signed tree head."""
        await self._q.add_checkpoint(self._connection, size=size, note=note, at=to_text(self.now))

    async def add_cosignature(self, size: int, witness: str, line: str) -> None:
        """Keep what a witness said of a tree head."""
        await self._q.add_cosignature(
            self._connection, size=size, witness=witness, line=line, at=to_text(self.now)
        )

    async def add_policy_version(self, digest: str, text: str) -> bool:
        """Keep a policy; True if it was not kept before."""
        row = await self._q.add_policy_version(
            self._connection, digest=digest, text=text, loaded_at=to_text(self.now)
        )
        return row is not None

    async def keep_first_answer(
        self, caller: str, key: str, *, verb: str, input_digest: str, escalation_id: str
    ) -> None:
        """Remember what a caller did with an idempotency key."""
        await self._q.keep_first_answer(
            self._connection,
            caller=caller,
            key=key,
            verb=verb,
            input_digest=input_digest,
            escalation_id=escalation_id,
        )

    # People and agents

    async def add_agent(self, agent: Agent, key_hash: bytes | None) -> bool:
        """Add an agent; False if the name is taken."""
        row = await self._q.add_agent(
            self._connection,
            id=agent.id,
            name=agent.name,
            key_hash=key_hash,
            owner=agent.owner,
            created_at=to_text(agent.created_at),
        )
        return row is not None

    async def set_agent_limits(self, agent: Agent) -> None:
        """Give an agent limits of its own, or none."""
        await self._q.set_agent_limits(
            self._connection,
            id=agent.id,
            max_open=agent.max_open,
            requests_per_minute=agent.requests_per_minute,
        )

    async def set_agent_key(self, agent_id: str, key_hash: bytes | None) -> None:
        """Give an agent another key, or none."""
        await self._q.set_agent_key(self._connection, id=agent_id, key_hash=key_hash)

    async def add_person(self, person: Person) -> bool:
        """Add a person; False if the name is taken."""
        row = await self._q.add_person(
            self._connection,
            id=person.id,
            name=person.name,
            roles=rows.to_json(sorted(person.roles)),
            queues=rows.to_json(sorted(person.queues)),
            created_at=to_text(person.created_at),
        )
        if row is not None:
            await self.set_addresses(person.id, person.addresses)
        return row is not None

    async def set_addresses(self, person_id: str, addresses: Iterable[Address]) -> None:
        """Send a person's alerts elsewhere from now on."""
        await self._q.remove_addresses(self._connection, person_id=person_id)
        for position, one in enumerate(addresses):
            await self._q.add_address(
                self._connection,
                id=one.id,
                person_id=person_id,
                position=position,
                label=one.label,
                url=self._sealing.seal(one.url, person_id),
                no_links_until=rows.optional_text(one.no_links_until),
            )

    async def set_hours(self, person_id: str, hours: Hours) -> None:
        """Say when a person works."""
        await self._q.set_hours(self._connection, id=person_id, **rows.hours_columns(hours))

    async def set_preferences(self, person_id: str, preferences: Mapping[str, tuple[str, ...]]) -> None:
        """Say which of a person's addresses are alerted for which urgency."""
        await self._q.set_preferences(
            self._connection, id=person_id, preferences=rows.to_json(dict(preferences))
        )

    async def disable_person(self, person_id: str) -> None:
        """Sign a person out everywhere, for good; their links open nothing."""
        at = to_text(self.now)
        await self._q.disable_person(self._connection, id=person_id, disabled_at=at)
        await self._q.end_sign_ins_of(self._connection, person_id=person_id, ended_at=at)
        await self._q.revoke_links_of_person(self._connection, person_id=person_id, revoked_at=at)

    async def change_person(self, person: Person) -> None:
        """Give a person other roles and queues."""
        await self._q.change_person(
            self._connection,
            id=person.id,
            roles=rows.to_json(sorted(person.roles)),
            queues=rows.to_json(sorted(person.queues)),
        )

    async def set_follow_up(self, person_id: str, *, on: bool) -> None:
        """Say whether a person hears how cases ended that they were alerted to."""
        await self._q.set_follow_up(self._connection, id=person_id, follow_up=int(on))

    async def pause_agent(self, agent_id: str) -> bool:
        """Pause an agent; False if it is paused."""
        return (
            await self._q.pause_agent(self._connection, id=agent_id, paused_at=to_text(self.now)) is not None
        )

    async def resume_agent(self, agent_id: str) -> bool:
        """Let a paused agent ask again; False if it is not paused."""
        return await self._q.resume_agent(self._connection, id=agent_id) is not None

    async def add_passkey(self, passkey: Passkey) -> bool:
        """Keep a passkey that waits for a second person; False if it is known."""
        row = await self._q.add_passkey(
            self._connection,
            credential=passkey.credential,
            person_id=passkey.person_id,
            public_key=passkey.public_key,
            rp_id=passkey.rp_id,
            label=passkey.label,
            sign_count=passkey.sign_count,
            offered_at=to_text(passkey.offered_at),
        )
        return row is not None

    async def enrol_passkey(self, credential: str, *, by: str) -> bool:
        """Let a passkey count; False if it does not wait any more."""
        row = await self._q.enrol_passkey(
            self._connection, credential=credential, enrolled_at=to_text(self.now), enrolled_by=by
        )
        return row is not None

    async def revoke_passkey(self, credential: str) -> bool:
        """Let a passkey sign nothing any more; False if it was revoked before."""
        row = await self._q.revoke_passkey(
            self._connection, credential=credential, revoked_at=to_text(self.now)
        )
        return row is not None

    async def count_signature(self, credential: str, sign_count: int) -> None:
        """Remember an authenticator's signature counter."""
        await self._q.count_signature(self._connection, credential=credential, sign_count=sign_count)

    async def add_link(self, link: Link) -> None:
        """Issue a magic link; for a case, it replaces older ones of the same person and address."""
        if link.escalation_id is not None:
            await self._q.revoke_links_of(
                self._connection,
                escalation_id=link.escalation_id,
                person_id=link.person_id,
                address=self._sealing.seal(link.address, link.person_id),
                revoked_at=to_text(self.now),
            )
        await self._q.add_link(
            self._connection,
            id=link.id,
            purpose=link.purpose,
            secret_hash=link.secret_hash,
            person_id=link.person_id,
            escalation_id=link.escalation_id,
            address=self._sealing.seal(link.address, link.person_id),
            issued_at=to_text(link.issued_at),
            expires_at=to_text(link.expires_at),
        )

    async def spend_link(self, link_id: str) -> bool:
        """Use a link; False if it was used or revoked first."""
        row = await self._q.spend_link(self._connection, id=link_id, spent_at=to_text(self.now))
        return row is not None

    async def add_sign_in(
        self, token_hash: bytes, session: SignInSession, *, credential: str | None = None
    ) -> None:
        """Open a sign-in session, with its event.

        Args:
            credential: The passkey that opened it.
        """
        await self._q.add_sign_in(
            self._connection,
            token_hash=token_hash,
            id=session.id,
            person_id=session.person_id,
            assurance=session.assurance,
            only_case=session.only_case,
            way=session.way,
            browser=session.browser,
            opened_at=to_text(session.opened_at),
            expires_at=to_text(session.expires_at),
        )
        actor = Actor("person", session.person_id, session.assurance)
        data = {"session": session.id, "way": session.way, "expires_at": to_text(session.expires_at)}
        if credential is not None:
            data["credential"] = credential
        await self.record(Draft("person.signed_in", self.now, actor, data, session.only_case))

    async def end_sign_in(self, session: SignInSession, *, by: Actor) -> bool:
        """End a sign-in session, with its event; False if it had ended."""
        ended = await self._q.end_sign_in(self._connection, id=session.id, ended_at=to_text(self.now))
        if ended is None:
            return False
        data = {"session": session.id, "person": session.person_id}
        await self.record(Draft("person.signed_out", self.now, by, data, session.only_case))
        return True

    async def rename_person(self, person_id: str, name: str) -> None:
        """Call a person something else; the caller has seen that the name is free."""
        await self._q.rename_person(self._connection, id=person_id, name=name)

    # Duty

    async def set_rotation(self, rotation: Rotation) -> None:
        """Add a rotation, or change it."""
        await self._q.set_rotation(
            self._connection,
            name=rotation.name,
            people=rows.to_json(rotation.people),
            first_on=rotation.first_on.isoformat(),
            at=rotation.at.isoformat("minutes"),
            **{**rows.hours_columns(rotation.hours), "zone": rotation.zone},
        )

    async def remove_rotation(self, name: str) -> bool:
        """Remove a rotation; False if there is none."""
        return await self._q.remove_rotation(self._connection, name=name) is not None

    async def add_override(self, override: Override) -> None:
        """Let one person stand in for another for a while."""
        await self._q.add_override(
            self._connection,
            id=override.id,
            rotation=override.rotation,
            instead_of=override.instead_of,
            person_id=override.person_id,
            starts_at=to_text(override.starts_at),
            ends_at=to_text(override.ends_at),
            made_at=to_text(override.made_at),
        )

    async def end_override(self, override_id: str) -> bool:
        """End it now; False if it has ended."""
        row = await self._q.end_override(self._connection, id=override_id, ends_at=to_text(self.now))
        return row is not None

    async def add_absence(self, absence: Absence) -> None:
        """Note that somebody cannot be reached for a while."""
        await self._q.add_absence(
            self._connection,
            id=absence.id,
            person_id=absence.person_id,
            starts_at=to_text(absence.starts_at),
            ends_at=to_text(absence.ends_at),
        )

    async def end_absence(self, absence_id: str) -> bool:
        """End it now; False if it has ended."""
        row = await self._q.end_absence(self._connection, id=absence_id, ends_at=to_text(self.now))
        return row is not None

    # The outbox

    async def add_alert(self, escalation_id: str | None, alert: AlertDraft) -> bool:
        """Put an alert into the outbox; False if the same one waits there already."""
        row = await self._q.add_alert(
            self._connection,
            id=self.new_id("alr"),
            kind=alert.kind,
            escalation_id=escalation_id,
            person_id=alert.person_id,
            address=self._sealing.seal(alert.address, alert.person_id),
            urgency=alert.urgency,
            urgency_rank=rows.urgency_rank(alert.urgency),
            due_at=to_text(alert.due_at),
            about=alert.about,
        )
        return row is not None

    async def lease_alerts(
        self, owner: str, *, until: datetime, most: int, per_address: int, of_cases: bool
    ) -> list[Alert]:
        """Take alerts that are due, most urgent first; each comes with its attempt counted.

        Args:
            per_address: How many may be on their way to one address at a time.
            of_cases: Alerts of cases, or those that are about none.
        """
        found = self._q.lease_alerts(
            self._connection,
            now=to_text(self.now),
            until=to_text(until),
            owner=owner,
            most=most,
            per_address=per_address,
            of_cases=int(of_cases),
        )
        taken = [rows.alert(row, self._sealing) async for row in found]
        # RETURNING has no order of its own (sqlite.org/lang_returning.html §3).
        return sorted(taken, key=lambda one: (-rows.urgency_rank(one.urgency), one.due_at, one.id))

    async def finish_alert(self, alert_id: str, owner: str, *, state: str, error: str | None) -> bool:
        """Record how sending ended; False if the lease was lost or the alert dropped."""
        row = await self._q.finish_alert(
            self._connection,
            id=alert_id,
            owner=owner,
            state=state,
            last_error=error,
            done_at=to_text(self.now),
        )
        return row is not None

    async def delay_alert(self, alert_id: str, owner: str, *, due_at: datetime, error: str) -> bool:
        """Try again later; False if the lease was lost or the alert dropped."""
        row = await self._q.delay_alert(
            self._connection, id=alert_id, owner=owner, due_at=to_text(due_at), last_error=error
        )
        return row is not None

    async def note_delivery(self, person_id: str, address_id: str, delivery: Delivery) -> None:
        """Remember how sending to an address went."""
        key = {"person_id": person_id, "address_id": address_id}
        if isinstance(delivery, Sent):
            await self._q.address_sent(self._connection, **key, at=to_text(self.now))
        else:
            await self._q.address_failed(self._connection, **key, at=to_text(self.now), error=delivery.why)
