"""The passkeys of people: made by the person, confirmed by a second one, revoked by either.

An administrator who could enrol a key alone could sign in anybody's name; with two people, and the keys pinned
elsewhere (`signoff people pin`), that shows.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from signoff.audit.operators import OperatorKey, Operators, pins
from signoff.audit.passkey import (
    CHALLENGE_VALID_FOR,
    NONCE_BYTES,
    PasskeyInvalid,
    base64url,
    enrolment_challenge,
    read_registration,
)
from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.desk.people import person_named
from signoff.desk.rights import still
from signoff.desk.signing import pages_of
from signoff.domain.canonical import sha256
from signoff.domain.clock import from_text, to_text
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound
from signoff.domain.event import SYSTEM, Actor, Draft
from signoff.domain.people import Passkey, Person, SignIn, check_full
from signoff.store.unit import Unit

MAX_LABEL_CHARS = 60
MOST_PASSKEYS = 20
CONFIRMERS = frozenset({"admin", "supervisor"})


async def enrolment(desk: Desk, sign_in: SignIn) -> dict[str, Any]:
    """Return the statement that a new passkey is made over; its challenge is `enrolment_challenge`.

    Nothing is stored; the statement comes back with the passkey, within five minutes.

    Raises:
        Forbidden: A magic link's sign-in cannot add passkeys.
    """
    check_full(sign_in)
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
    nonce = base64url(secrets.token_bytes(NONCE_BYTES))
    return {**_about(desk, sign_in), "at": to_text(now), "nonce": nonce}


def _about(desk: Desk, sign_in: SignIn) -> dict[str, Any]:
    origin, rp_id = pages_of(desk)
    return {"log": desk.keys.origin, "origin": origin, "person": sign_in.person.id, "rp_id": rp_id}


async def offer_passkey(
    desk: Desk,
    sign_in: SignIn,
    *,
    statement: Mapping[str, Any],
    client_data: bytes,
    authenticator_data: bytes,
    label: str,
) -> Passkey:
    """Keep a passkey that its person has just made; it signs nothing until a second person confirms it.

    Args:
        statement: What `enrolment` returned.
        client_data: The browser's `clientDataJSON`.
        authenticator_data: What the browser's `getAuthenticatorData()` returns.

    Raises:
        PasskeyInvalid: Made over something else, too long ago, or without verifying the person.
        InvalidRequest: A kind of key that is not supported, or a label out of range.
        Conflict: This passkey is known, or the person has twenty.
        Forbidden: A magic link's sign-in cannot add passkeys.
    """
    check_full(sign_in)
    if not (0 < len(label) <= MAX_LABEL_CHARS and label.isprintable()):
        raise InvalidRequest(f"must be 1 to {MAX_LABEL_CHARS} printable characters.", field="label")
    about = _about(desk, sign_in)
    if set(statement) != {*about, "at", "nonce"} or any(statement[name] != about[name] for name in about):
        raise PasskeyInvalid("wrong_statement", "The passkey was made for somebody or something else.")
    made = read_registration(
        client_data,
        authenticator_data,
        challenge=enrolment_challenge(statement),
        origin=about["origin"],
        rp_id=about["rp_id"],
    )

    async def move(unit: Unit) -> Passkey:
        await still(unit, sign_in, unit.now)
        if not timedelta(0) <= unit.now - _read_time(statement["at"]) <= CHALLENGE_VALID_FOR:
            raise PasskeyInvalid("wrong_challenge", "That took more than five minutes. Try again.")
        held = await unit.passkeys_of(sign_in.person.id)
        if sum(one.state != "revoked" for one in held) >= MOST_PASSKEYS:
            raise Conflict(f"You have {MOST_PASSKEYS} passkeys. Revoke one first.")
        passkey = Passkey(
            credential=made.credential,
            person_id=sign_in.person.id,
            public_key=made.public_key,
            rp_id=about["rp_id"],
            label=label,
            sign_count=made.sign_count,
            offered_at=unit.now,
        )
        if not await unit.add_passkey(passkey):
            raise Conflict("This passkey is known already.")
        data = {"person": passkey.person_id, "credential": passkey.credential, "key_digest": _digest(passkey)}
        await unit.record(Draft("person.passkey_offered", unit.now, sign_in.actor, data))
        return passkey

    return await desk.store.write(move)


async def confirm_passkey(desk: Desk, by: SignIn, credential: str) -> Passkey:
    """Let another person's new passkey count: the second person says that it is theirs.

    Raises:
        NotFound: No such passkey.
        Forbidden: One's own passkey, or neither admin nor supervisor.
        Conflict: It does not wait for anybody.
    """
    check_full(by)
    _check_confirms(by)

    async def move(unit: Unit) -> Passkey:
        _check_confirms(await still(unit, by, unit.now))
        passkey = await _passkey(unit, credential)
        if passkey.person_id == by.person.id:
            raise Forbidden("This passkey is your own, so another person must confirm it.")
        if not await unit.enrol_passkey(credential, by=by.person.id):
            raise Conflict("This passkey does not wait to be confirmed.")
        data = {
            "person": passkey.person_id,
            "credential": credential,
            "public_key": base64url(passkey.public_key),
            "key_digest": _digest(passkey),
            "rp_id": passkey.rp_id,
        }
        await unit.record(Draft("person.passkey_enrolled", unit.now, by.actor, data))
        return await _passkey(unit, credential)

    return await desk.store.write(move)


async def revoke_passkey(desk: Desk, credential: str, *, by: SignIn | None) -> Passkey:
    """Let a passkey sign nothing from now on; what it signed before stays signed.

    Sign-in sessions that its person opened with a passkey end, for it may have been this one; not the one that revokes.

    Args:
        by: Its person, an admin or a supervisor; None for whoever has the server's terminal.

    Raises:
        NotFound: No such passkey.
        Forbidden: Somebody else's, and neither admin nor supervisor.
        Conflict: It was revoked before.
    """
    if by is not None:
        check_full(by)

    async def move(unit: Unit) -> Passkey:
        passkey = await _passkey(unit, credential)
        if by is not None:
            person = (await still(unit, by, unit.now)).person
            if passkey.person_id != person.id and not person.roles & CONFIRMERS:
                raise Forbidden("Only its person, an admin or a supervisor revokes a passkey.")
        if not await unit.revoke_passkey(credential):
            raise Conflict("This passkey was revoked before.")
        actor: Actor = SYSTEM if by is None else by.actor
        data = {"person": passkey.person_id, "credential": credential, "key_digest": _digest(passkey)}
        await unit.record(Draft("person.passkey_revoked", unit.now, actor, data))
        await _end_sessions_by_passkey(unit, passkey.person_id, actor, but=by.session_id if by else "")
        return await _passkey(unit, credential)

    return await desk.store.write(move)


async def _end_sessions_by_passkey(unit: Unit, person_id: str, actor: Actor, *, but: str) -> None:
    for session in await unit.sign_ins.open_of(person_id, unit.now):
        if session.way == "passkey" and session.id != but:
            await unit.end_sign_in(session, by=actor)


async def passkeys_of(desk: Desk, name: str) -> list[Passkey]:
    """Return a person's passkeys, oldest first, those that wait or were revoked too.

    Raises:
        NotFound: Nobody has that name.
    """
    person = await person_named(desk, name)
    async with desk.store.reading() as reader:
        return await reader.passkeys_of(person.id)


async def my_passkeys(desk: Desk, sign_in: SignIn) -> list[Passkey]:
    """Return one's own passkeys, oldest first, those that wait or were revoked too.

    Raises:
        Forbidden: A magic link's sign-in.
    """
    check_full(sign_in)
    async with desk.store.reading() as reader:
        return await reader.passkeys_of(sign_in.person.id)


async def has_passkey(desk: Desk, person: Person) -> bool:
    """Say whether a person holds a passkey that signs on these pages."""
    _, rp_id = pages_of(desk)
    async with desk.store.reading() as reader:
        held = await reader.passkeys_of(person.id)
    return any(one.state == "in use" and one.rp_id == rp_id for one in held)


@dataclass(frozen=True, slots=True)
class PasskeyLine:
    """A passkey with the names of those concerned."""

    passkey: Passkey
    person_name: str
    confirmed_by: str | None
    is_mine: bool


async def all_passkeys(desk: Desk, by: SignIn) -> list[PasskeyLine]:
    """Return everybody's passkeys that wait or are in use, those that wait first, then by name.

    Raises:
        Forbidden: Neither admin nor supervisor, or a magic link's sign-in.
    """
    check_full(by)
    _check_confirms(by)
    async with desk.store.reading() as reader:
        held = await reader.passkeys()
        people = {one.id: one for one in await reader.people()}
    lines = [
        PasskeyLine(
            one,
            people[one.person_id].name,
            people[one.enrolled_by].name if one.enrolled_by else None,
            one.person_id == by.person.id,
        )
        for one in held
        if one.state != "revoked" and people[one.person_id].disabled_at is None
    ]
    return sorted(lines, key=lambda one: (one.passkey.state != "waiting", one.person_name))


async def passkeys_to_confirm(desk: Desk, by: SignIn) -> int:
    """Return how many passkeys wait for this person to confirm them; 0 for whoever confirms none."""
    if not by.person.roles & CONFIRMERS:
        return 0
    lines = await all_passkeys(desk, by)
    return sum(one.passkey.state == "waiting" and not one.is_mine for one in lines)


def fingerprint(passkey: Passkey) -> str:
    """Return what two people compare to know that they speak of the same passkey: `5f2a 90c1 …`, 64 bits."""
    shown = _digest(passkey).removeprefix("sha256:")[:16]
    return " ".join(shown[at : at + 4] for at in range(0, 16, 4))


def _check_confirms(by: SignIn) -> None:
    if not by.person.roles & CONFIRMERS:
        raise Forbidden("Only an admin or a supervisor confirms passkeys.")


async def pinned_keys(desk: Desk) -> Operators:
    """Return every passkey that was ever confirmed, for an auditor to keep elsewhere.

    Revoked ones are among them: what they signed before still counts, and the log says when they ended.
    """
    async with desk.store.reading() as reader:
        held = await reader.passkeys()
    keys = (
        OperatorKey(one.person_id, one.credential, one.public_key, one.rp_id)
        for one in held
        if one.enrolled_at is not None
    )
    return pins(desk.keys.origin, keys)


async def _passkey(unit: Unit, credential: str) -> Passkey:
    found = await unit.passkey(credential)
    if found is None:
        raise NotFound("There is no such passkey. See `signoff people passkeys NAME`.")
    return found


def _digest(passkey: Passkey) -> str:
    return sha256(passkey.public_key)


def _read_time(text: Any) -> Any:
    try:
        return from_text(text)
    except (ValueError, TypeError):
        raise PasskeyInvalid("malformed", "The passkey's answer cannot be read.") from None
