"""Receipts: a decision as a signed token that anybody checks offline.

A compact JWS (RFC 7515), `alg: Ed25519` (RFC 9864), `typ: signoff-receipt+jwt`, whose fields are

    iss              the log's origin
    sub              the escalation, `esc_…`
    aud              the agent that asked, `agt_…`
    iat, exp         decided at, usable until (whole seconds)
    jti              the receipt's own id
    outcome          approved, modified or rejected
    action_digest    of what may run, after modification; null when rejected
    proposed_digest  of what the agent had asked for
    decided_by       [{"id": "per_…", "roles": ["supervisor"]}, …], or "policy"
    assurance        how sure signoff was who decided
    policy_digest    the policy's version
    audit_seq        the number of the deciding event in the log
    passkey          only where people signed: one `{statement, assertion}` each (`passkey.py`)

A rejection has a receipt too: it proves a no.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signoff.audit.keys import Jwks, ReceiptKey
from signoff.audit.passkey import PasskeyInvalid, Signed, read_signed
from signoff.domain.canonical import canonical
from signoff.domain.errors import Forbidden, InvalidRequest
from signoff.domain.people import ASSURANCES, ROLES, Assurance, Role

# joserfc is imported where a token is made: it costs 30 ms, which every start of `signoff mcp` would pay. Reading does
# without it: it takes longer around a signature than the signature itself, and a log has them by the million.

ALGORITHM = "Ed25519"
TYPE = "signoff-receipt+jwt"
MAX_TOKEN_CHARS = 40_000  # ten approvals, the most that a policy can ask for, each signed with a passkey

FORGED = "The receipt is not signed by a key of this issuer."

_PART = re.compile(r"[A-Za-z0-9_-]+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FIELDS = frozenset(
    {
        *("iss", "sub", "aud", "iat", "exp", "jti", "outcome", "action_digest", "proposed_digest"),
        *("decided_by", "assurance", "policy_digest", "audit_seq"),
    }
)

Outcome = Literal["approved", "modified", "rejected"]
Refusal = Literal["malformed", "bad_signature", "expired", "not_yet_valid", "wrong_audience", "wrong_action"]


class ReceiptInvalid(Forbidden):
    """A token that is no receipt, or not one for this use; `reason` is a stable word."""

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Decider:
    """A person who decided, with the roles they held then."""

    id: str
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt states; times are UTC and whole seconds."""

    issuer: str
    escalation_id: str
    agent_id: str
    issued_at: datetime
    expires_at: datetime
    id: str
    outcome: Outcome
    action_digest: str | None
    """Of what may run; None when rejected."""
    proposed_digest: str
    decided_by: tuple[Decider, ...] | Literal["policy"]
    assurance: Assurance
    policy_digest: str
    audit_seq: int
    passkey: tuple[Signed, ...] = ()
    """What people signed themselves; whose keys those are is for `operators.check_receipt` to say."""


def issue(receipt: Receipt, key: ReceiptKey) -> str:
    """Return the signed token of a receipt.

    Fractions of a second are cut off, so a token never holds longer than the decision.

    Raises:
        InvalidRequest: The receipt contradicts itself: a rejection with an action, an approval without.
    """
    from joserfc import jws
    from joserfc.jwk import OKPKey

    if (receipt.action_digest is None) != (receipt.outcome == "rejected"):
        raise InvalidRequest(
            "what may run is named exactly when something may run.", field="receipt.action_digest"
        )
    decided_by: Any = "policy"
    if receipt.decided_by != "policy":
        decided_by = [{"id": person.id, "roles": sorted(person.roles)} for person in receipt.decided_by]
    payload = {
        "iss": receipt.issuer,
        "sub": receipt.escalation_id,
        "aud": receipt.agent_id,
        "iat": int(receipt.issued_at.timestamp()),
        "exp": int(receipt.expires_at.timestamp()),
        "jti": receipt.id,
        "outcome": receipt.outcome,
        "action_digest": receipt.action_digest,
        "proposed_digest": receipt.proposed_digest,
        "decided_by": decided_by,
        "assurance": receipt.assurance,
        "policy_digest": receipt.policy_digest,
        "audit_seq": receipt.audit_seq,
    }
    if receipt.passkey:
        payload["passkey"] = [one.as_json() for one in receipt.passkey]
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}
    return jws.serialize_compact(header, canonical(payload), OKPKey.import_key(key.private), [ALGORITHM])


def verify(
    token: str, jwks: Jwks, *, now: datetime, audience: str | None = None, action_digest: str | None = None
) -> Receipt:
    """Return the receipt that a token is, if it holds now.

    Args:
        token: The compact JWS.
        jwks: The issuer's public keys.
        now: This instant, UTC.
        audience: The agent that presents it, if that is to be checked.
        action_digest: Of the action about to run, if one is: only a receipt that approves exactly it passes, and a
            rejection never does.

    Raises:
        ReceiptInvalid: It does not hold; `reason` says why.
    """
    receipt = read(token, key_set(jwks))
    if now >= receipt.expires_at:
        raise ReceiptInvalid("expired", "The receipt has expired. Ask again for approval.")
    # A receipt is cut to the second, so it is never from the future by the issuer's own clock; a minute is for others.
    if receipt.issued_at.timestamp() > now.timestamp() + 60:
        raise ReceiptInvalid("not_yet_valid", "The receipt is from the future. Check this machine's clock.")
    if audience is not None and audience != receipt.agent_id:
        raise ReceiptInvalid("wrong_audience", "The receipt was given to another agent.")
    if action_digest is not None and action_digest != receipt.action_digest:
        raise ReceiptInvalid("wrong_action", "The receipt does not approve this action.")
    return receipt


class ReceiptKeys:
    """Public keys ready for use; making them once matters where many receipts are read."""

    def __init__(self, jwks: Jwks) -> None:
        self._keys: dict[str, Ed25519PublicKey] = {}
        for key in jwks["keys"]:
            self._keys[key["kid"]] = Ed25519PublicKey.from_public_bytes(_decoded(key["x"]) or b"")
        self._headers: dict[str, Ed25519PublicKey] = {}
        for kid, public in self._keys.items():
            header = orjson.dumps({"alg": ALGORITHM, "kid": kid, "typ": TYPE})
            self._headers[base64.urlsafe_b64encode(header).rstrip(b"=").decode("ascii")] = public

    def are_named_in(self, header: str) -> bool:
        """Say whether a token's first part is of the right alphabet and length, and so can name a key at all."""
        return header in self._headers or _decoded(header) is not None

    def of(self, header: str) -> Ed25519PublicKey:
        """Return the key that a token's first part names.

        Raises:
            ReceiptInvalid: It is no header of a receipt, or names none of the keys.
        """
        known = self._headers.get(header)
        if known is not None:
            return known
        raw = _decoded(header)
        try:
            fields = json.loads(raw or b"", object_pairs_hook=_once_each)
        except ValueError:
            raise _not_signed() from None
        if (
            not isinstance(fields, dict)
            or fields.get("alg") != ALGORITHM
            or fields.get("kid") not in self._keys
        ):
            raise _not_signed()
        if fields.get("typ") != TYPE or fields.keys() != {"alg", "kid", "typ"}:
            raise _malformed()
        return self._keys[fields["kid"]]


def key_set(jwks: Jwks) -> ReceiptKeys:
    """Return public keys ready for use."""
    return ReceiptKeys(jwks)


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A receipt whose form was checked, and whose signature was not."""

    receipt: Receipt
    message: bytes
    signature: bytes
    key: Ed25519PublicKey

    def holds(self) -> bool:
        """Say whether the key signed it; takes 0.06 ms where it did."""
        from nacl.bindings import crypto_sign_open  # takes 15 ms, and most processes check no receipt
        from nacl.exceptions import BadSignatureError

        # libsodium takes half the time, and accepts nothing that OpenSSL does not; what it refuses OpenSSL judges.
        with suppress(BadSignatureError, ValueError):
            crypto_sign_open(self.signature + self.message, self.key.public_bytes_raw())
            return True
        try:
            self.key.verify(self.signature, self.message)
        except InvalidSignature:
            return False
        return True


def parse_signed(token: str, keys: ReceiptKeys, *, fields: Mapping[str, Any] | None = None) -> SignedToken:
    """Take a token apart; its signature is still to be checked.

    Args:
        fields: What `unverified_fields` returned for it, where that was asked before; it is half of the work.

    Raises:
        ReceiptInvalid: Not a receipt, or it names none of the keys.
    """
    parts = token.split(".") if len(token) <= MAX_TOKEN_CHARS else []
    if len(parts) != 3:
        raise _malformed()
    header, body, last = parts
    signature = _decoded(last)
    if not fields:
        raw = _decoded(body)
        fields = None if raw is None else _exact_fields(raw)
    if signature is None or fields is None or not keys.are_named_in(header):
        raise _malformed()
    key = keys.of(header)
    try:
        receipt = _parse(fields)
    except (ValueError, OverflowError):
        raise _malformed() from None
    return SignedToken(receipt, token[: -len(last) - 1].encode("ascii"), signature, key)


def read(token: str, keys: ReceiptKeys) -> Receipt:
    """Return the receipt that a token is, whether or not it still holds: it proves what was decided for ever.

    Raises:
        ReceiptInvalid: Not a receipt, or not signed by one of the keys.
    """
    signed = parse_signed(token, keys)
    if not signed.holds():
        raise _not_signed()
    return signed.receipt


def _malformed() -> ReceiptInvalid:
    return ReceiptInvalid("malformed", "This is not a receipt.")


def _not_signed() -> ReceiptInvalid:
    return ReceiptInvalid("bad_signature", FORGED)


def unverified_fields(token: str) -> dict[str, Any]:
    """Return the fields of a token without looking at its signature; empty if they are not as `issue` writes them."""
    raw = _decoded(token.split(".")[1]) if token.count(".") == 2 else None
    return {} if raw is None else _exact_fields(raw)


def _exact_fields(raw: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(raw)
    except ValueError:
        return {}
    # Written again it must be the same: a field given twice, for one, has two readings and is not.
    if isinstance(fields, dict) and orjson.dumps(fields, option=orjson.OPT_SORT_KEYS) == raw:
        return fields
    return {}


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name is given twice")
    return made


def _decoded(part: str) -> bytes | None:
    """Return a part's bytes, None unless it is the one text they encode to; signatures would have several otherwise."""
    if not _PART.fullmatch(part):
        return None
    text = part.replace("-", "+").replace("_", "/") + "=" * (-len(part) % 4)
    try:
        raw = binascii.a2b_base64(text)
    except ValueError:
        return None
    return raw if binascii.b2a_base64(raw, newline=False) == text.encode("ascii") else None


def _parse(fields: Mapping[str, Any]) -> Receipt:
    if fields.keys() - {"passkey"} != _FIELDS:
        raise ValueError("other fields")
    outcome, action = fields["outcome"], fields["action_digest"]
    if outcome not in get_args(Outcome) or (action is None) != (outcome == "rejected"):
        raise ValueError("outcome")
    if fields["assurance"] not in ASSURANCES:
        raise ValueError("assurance")
    return Receipt(
        issuer=_text(fields, "iss"),
        escalation_id=_text(fields, "sub"),
        agent_id=_text(fields, "aud"),
        issued_at=_instant(fields, "iat"),
        expires_at=_instant(fields, "exp"),
        id=_text(fields, "jti"),
        outcome=outcome,
        action_digest=None if action is None else _digest(fields, "action_digest"),
        proposed_digest=_digest(fields, "proposed_digest"),
        decided_by=_deciders(fields["decided_by"]),
        assurance=fields["assurance"],
        policy_digest=_digest(fields, "policy_digest"),
        audit_seq=_number(fields, "audit_seq"),
        passkey=_signed(fields["passkey"]) if "passkey" in fields else (),
    )


def _signed(value: Any) -> tuple[Signed, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("passkey")
    try:
        return tuple(map(read_signed, value))
    except PasskeyInvalid:
        raise ValueError("passkey") from None


def _deciders(value: Any) -> tuple[Decider, ...] | Literal["policy"]:
    if value == "policy":
        return "policy"
    if not isinstance(value, list) or not value:
        raise ValueError("decided_by")
    made = []
    for person in value:
        if (
            not isinstance(person, dict)
            or person.keys() != {"id", "roles"}
            or not isinstance(person["roles"], list)
        ):
            raise ValueError("decided_by")
        if not all(role in ROLES for role in person["roles"]):
            raise ValueError("roles")
        made.append(Decider(_text(person, "id"), tuple(person["roles"])))
    return tuple(made)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not value:
        raise ValueError(name)
    return value


def _digest(fields: Mapping[str, Any], name: str) -> str:
    value = _text(fields, name)
    if not _DIGEST.fullmatch(value):
        raise ValueError(name)
    return value


def _number(fields: Mapping[str, Any], name: str) -> int:
    value = fields[name]
    if type(value) is not int or value < 0:
        raise ValueError(name)
    return value


def _instant(fields: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromtimestamp(_number(fields, name), UTC)
