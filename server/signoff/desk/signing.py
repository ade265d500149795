"""Have a person sign their decision with a passkey, and check what they signed.

challenge      what the page hands to the browser: the statement, its challenge, the person's passkeys
Proof          what comes back with the decision
check_proof    the desk's side, inside the transaction that takes the decision
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import orjson

from signoff.audit.passkey import (
    CHALLENGE_VALID_FOR,
    NONCE_BYTES,
    PasskeyInvalid,
    Signed,
    Statement,
    base64url,
    check_counter,
    check_signed,
    read_signed,
)
from signoff.desk.answering import check_answer, proposed_of
from signoff.desk.desk import Desk
from signoff.desk.look import view_of
from signoff.desk.moment import moment
from signoff.desk.rights import still
from signoff.domain.change import Change
from signoff.domain.clock import from_text, to_text
from signoff.domain.decision import Answer, decision_payload
from signoff.domain.errors import Forbidden, Stale
from signoff.domain.escalation import Escalation, check_open, final_digest_of
from signoff.domain.event import commitment
from signoff.domain.people import SignIn
from signoff.store.reader import Reader
from signoff.store.unit import SALT_BYTES, Unit


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a browser needs so that a person can sign (PublicKeyCredentialRequestOptions)."""

    statement: Statement
    salt: bytes
    """Goes back with the decision: the statement commits to note, response and arguments under it."""
    credentials: tuple[str, ...]
    """Ids of the person's passkeys, base64url, for `allowCredentials`."""

    @property
    def challenge(self) -> str:
        """Return the challenge in base64url."""
        return base64url(self.statement.challenge)

    @property
    def timeout_ms(self) -> int:
        """Return how long the challenge is good for."""
        return int(CHALLENGE_VALID_FOR.total_seconds() * 1000)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a person signed, as it comes back with the decision."""

    signed: Signed
    salt: bytes


def pages_of(desk: Desk) -> tuple[str, str]:
    """Return origin and relying party id of the pages: `https://signoff.example.com`, `signoff.example.com`."""
    parts = urlsplit(desk.settings.base_url)
    return f"{parts.scheme}://{parts.netloc}", parts.hostname or ""


async def challenge(
    desk: Desk, sign_in: SignIn, escalation_id: str, answer: Answer, *, version: int, view_digest: str
) -> Challenge:
    """Return what a person signs so that `decide` takes exactly this answer; nothing is stored.

    Args:
        version: Of the case as the page showed it.
        view_digest: Of the view that the page showed.

    Raises:
        NotFound: Not this person's to see.
        AlreadyDecided: The case has ended.
        Stale: The case changed since the page was shown.
        Forbidden: This person has no passkey, or may not give this answer.
        InvalidRequest: Names the field at fault: note, arguments or response.
    """
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        sign_in = await still(reader, sign_in, now)
        view = await view_of(desk, reader, sign_in, escalation_id, now=now)
        held = await reader.passkeys_of(sign_in.person.id)
    case = view.case
    check_open(case, now)
    if (version, view_digest) != (case.version, view.view_digest):
        raise Stale("The case changed after this page was shown. Look at it again, then decide.")
    await check_answer(view, answer)
    _, rp_id = pages_of(desk)
    usable = tuple(one.credential for one in held if one.state == "in use" and one.rp_id == rp_id)
    if not usable:
        raise Forbidden("You have no passkey here yet. Add one, and have a second person confirm it.")
    salt = secrets.token_bytes(SALT_BYTES)
    final_digest = final_digest_of(case, answer, proposed_of(view))
    statement = _statement(
        desk, sign_in, case, answer, final_digest=final_digest, view_digest=view_digest, salt=salt
    )
    nonce = base64url(secrets.token_bytes(NONCE_BYTES))
    return Challenge(replace(statement, at=to_text(now), nonce=nonce), salt, usable)


def _statement(
    desk: Desk,
    sign_in: SignIn,
    case: Escalation,
    answer: Answer,
    *,
    final_digest: str | None,
    view_digest: str,
    salt: bytes,
) -> Statement:
    """Return the statement of a decision, without time and nonce."""
    origin, rp_id = pages_of(desk)
    return Statement(
        log=desk.keys.origin,
        case=case.id,
        version=case.version,
        choice=answer.choice,
        action_digest=final_digest,
        decision=commitment(salt, decision_payload(answer)),
        view_digest=view_digest,
        person=sign_in.person.id,
        policy_digest=case.policy_digest,
        at="",
        origin=origin,
        rp_id=rp_id,
        nonce="",
    )


async def check_proof(
    unit: Unit,
    desk: Desk,
    sign_in: SignIn,
    case: Escalation,
    answer: Answer,
    *,
    proof: Proof,
    final_digest: str | None,
    view_digest: str,
) -> SignIn:
    """Return the sign-in with assurance `passkey`, after checking that this person signed exactly this decision.

    Raises:
        PasskeyInvalid: `reason` says what does not hold; nothing was decided.
    """
    said = proof.signed.statement
    expected = _statement(
        desk, sign_in, case, answer, final_digest=final_digest, view_digest=view_digest, salt=proof.salt
    )
    if len(proof.salt) != SALT_BYTES or said != replace(expected, at=said.at, nonce=said.nonce):
        raise PasskeyInvalid("wrong_statement", "What was signed is not this decision. Decide again.")
    try:
        age = unit.now - from_text(said.at)
    except ValueError:
        raise PasskeyInvalid("malformed", "The passkey's answer cannot be read.") from None
    if not 0 <= age.total_seconds() <= CHALLENGE_VALID_FOR.total_seconds():
        raise PasskeyInvalid("wrong_challenge", "That took more than five minutes. Decide again.")
    key = await unit.passkey(proof.signed.credential)
    if key is None or key.person_id != sign_in.person.id or key.state != "in use" or key.rp_id != said.rp_id:
        raise PasskeyInvalid("unknown_key", "This passkey is not one of yours that may sign.")
    count = check_signed(proof.signed, key.public_key)
    check_counter(count, held=key.sign_count)
    await unit.count_signature(key.credential, count)
    return replace(sign_in, assurance="passkey")


async def signatures(reader: Reader, change: Change, proof: Proof | None) -> tuple[Signed, ...]:
    """Return what the people who decided a case have signed: earlier approvers first, then the one of `proof`."""
    case = change.case
    if not case.decided_by:
        return ()
    found: dict[str, Signed] = {}
    for _, kind, body in await reader.typed_events_of_case(case.id):
        if kind in ("escalation.undone", "escalation.overridden"):
            found.clear()
        if kind != "escalation.approval_given":
            continue
        event = orjson.loads(body)
        if "passkey" in event["data"] and event["data"]["action_digest"] == case.final_digest:
            found[event["actor"]["id"]] = read_signed(event["data"]["passkey"])
    if proof is not None:
        found[proof.signed.statement.person] = proof.signed
    return tuple(found[person] for person in case.decided_by if person in found)
