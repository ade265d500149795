"""Signing in with a passkey, and stepping up with one in place.

What is signed is a statement, canonical JSON (RFC 8785): `v`, `log`, `origin`, `rp_id`, `person` (only where somebody
who is signed in steps up; else null), `at`, `nonce`. Its challenge begins with another prefix than a decision's, so
neither can stand for the other. Nothing is stored for a challenge that nobody answers: the server marks those of its
own with a key that lives as long as its process, and remembers those that were used.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from signoff.audit.passkey import (
    CHALLENGE_VALID_FOR,
    NONCE_BYTES,
    Assertion,
    PasskeyInvalid,
    base64url,
    check_assertion,
    check_counter,
    sign_in_challenge,
)
from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.desk.sessions import Opened, begin
from signoff.desk.signing import pages_of
from signoff.domain.clock import from_text, to_text
from signoff.domain.errors import Forbidden
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.people import Passkey, Person, SignIn
from signoff.store.unit import Unit

VERSION = 1
_FIELDS = ("v", "log", "origin", "rp_id", "person", "at", "nonce")


class PasskeyRefused(Forbidden):
    """A passkey that signs nobody in; the reader is told one and the same thing for every reason."""

    def __init__(self) -> None:
        super().__init__(
            "This passkey did not sign you in. Only one that a second person has confirmed does."
        )


@dataclass(frozen=True, slots=True)
class SignInChallenge:
    """What a browser needs to have a passkey sign (PublicKeyCredentialRequestOptions), and what it sends back."""

    statement: dict[str, Any]
    seal: str
    """Says that this server made the statement; goes back with the passkey's answer."""
    credentials: tuple[str, ...]
    """For `allowCredentials`: the passkeys of the person who steps up, none for whoever signs in."""

    @property
    def challenge(self) -> str:
        """Return the challenge in base64url."""
        return base64url(sign_in_challenge(self.statement))


@dataclass(frozen=True, slots=True)
class Answered:
    """What comes back from a browser."""

    statement: Mapping[str, Any]
    seal: str
    assertion: Assertion
    user_handle: str | None
    """Whose the authenticator says the passkey is: a person's id."""


async def sign_in_statement(desk: Desk, stepping_up: SignIn | None = None) -> SignInChallenge:
    """Return what a passkey signs to sign its person in; nothing is stored.

    Args:
        stepping_up: Who is signed in less surely and wants to be surer; a passkey of theirs is needed.
    """
    origin, rp_id = pages_of(desk)
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        held = [] if stepping_up is None else await reader.passkeys_of(stepping_up.person.id)
    statement = {
        "v": VERSION,
        "log": desk.keys.origin,
        "origin": origin,
        "rp_id": rp_id,
        "person": None if stepping_up is None else stepping_up.person.id,
        "at": to_text(now),
        "nonce": base64url(secrets.token_bytes(NONCE_BYTES)),
    }
    usable = tuple(one.credential for one in held if one.state == "in use" and one.rp_id == rp_id)
    return SignInChallenge(statement, _sealed(desk, statement), usable)


def _sealed(desk: Desk, statement: Mapping[str, Any]) -> str:
    return base64url(hmac.digest(desk.sign_in_seal, sign_in_challenge(statement), sha256))


async def sign_in_with_passkey(
    desk: Desk, answered: Answered, *, source: str, browser: str, stepping_up: SignIn | None = None
) -> Opened:
    """Sign a person in with their passkey, once per challenge; the session's assurance is `passkey`.

    A decision that needs a passkey still asks for a signature of its own (`signing.py`).

    Args:
        source: Where the request comes from, for the brake on guessing; it is not kept.
        browser: What the browser says it is, for the list of sign-in sessions.
        stepping_up: Who is signed in; the passkey must be theirs. The caller ends their earlier session.

    Raises:
        PasskeyRefused: It signs nobody in; the log tells why.
        RateLimited: Too many wrong tries from this source.
    """
    desk.tries.check(source, desk.clock.now())

    async def move(unit: Unit) -> Opened | None:
        key = await unit.passkey(base64url(answered.assertion.credential_id))
        person = await unit.person(key.person_id) if key else None
        if key is None or person is None:
            return None
        try:
            count = await _check(unit, desk, answered, key, person, stepping_up)
        except PasskeyInvalid as error:
            data = {"person": person.id, "credential": key.credential, "why": error.reason}
            await unit.record(Draft("person.passkey_refused", unit.now, SYSTEM, data))
            return None
        await unit.count_signature(key.credential, count)
        return await begin(
            unit, desk, person, "passkey", way="passkey", browser=browser, credential=key.credential
        )

    opened = await desk.store.write(move)
    if opened is None:
        desk.tries.count(source, desk.clock.now())
        raise PasskeyRefused
    return opened


async def _check(
    unit: Unit, desk: Desk, answered: Answered, key: Passkey, person: Person, stepping_up: SignIn | None
) -> int:
    """Return the authenticator's counter, after checking all that must hold.

    Raises:
        PasskeyInvalid: `reason` says what does not.
    """
    _check_ours(unit, desk, answered, stepping_up)
    origin, rp_id = pages_of(desk)
    if key.state != "in use" or key.rp_id != rp_id or person.disabled_at is not None:
        raise PasskeyInvalid("unknown_key", "This passkey is not one that may sign in.")
    if stepping_up is not None and stepping_up.person.id != person.id:
        raise PasskeyInvalid("unknown_key", "This passkey is somebody else's.")
    if answered.user_handle is not None and answered.user_handle != person.id:
        raise PasskeyInvalid("unknown_key", "The authenticator names somebody else.")
    challenge = sign_in_challenge(answered.statement)
    count = check_assertion(
        answered.assertion, key.public_key, challenge=challenge, origin=origin, rp_id=rp_id
    )
    check_counter(count, held=key.sign_count)
    # Last: what does not hold uses nothing up, so nobody can spend somebody else's challenge.
    if not await unit.sign_ins.spend_challenge(challenge, good_for=CHALLENGE_VALID_FOR):
        raise PasskeyInvalid("wrong_challenge", "This was signed for an earlier sign-in.")
    return count


def _check_ours(unit: Unit, desk: Desk, answered: Answered, stepping_up: SignIn | None) -> None:
    """Refuse a statement that this server did not make, or made for another purpose, or too long ago."""
    said = answered.statement
    if set(said) != set(_FIELDS):
        raise PasskeyInvalid("malformed", "The passkey's answer cannot be read.")
    if not hmac.compare_digest(_sealed(desk, said).encode(), answered.seal.encode("utf-8", "replace")):
        raise PasskeyInvalid("wrong_statement", "This server did not ask for that.")
    if said["person"] != (None if stepping_up is None else stepping_up.person.id):
        raise PasskeyInvalid("wrong_statement", "This was signed for another purpose.")
    if not timedelta(0) <= unit.now - from_text(said["at"]) <= CHALLENGE_VALID_FOR:
        raise PasskeyInvalid("wrong_challenge", "That took more than five minutes. Try again.")
