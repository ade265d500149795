r"""Decisions that a person signed with a passkey (WebAuthn), so that no server can invent one.

What is signed is a statement, canonical JSON (RFC 8785):

    v              1
    log            the log's name
    case, version  the escalation and how many moves it had made, so that a signature counts once
    choice         approve, modify or reject
    action_digest  of what may run; null for a rejection
    decision       the commitment to note, response and changed arguments, as the event carries it
    view_digest    of the page that the person saw
    person         per_…
    policy_digest  the policy that asked for the person
    at             when the challenge was made; good for five minutes
    origin, rp_id  the pages it was signed on, and the name the passkey belongs to
    nonce          32 random bytes

The challenge that the browser passes to the authenticator is `SHA-256("signoff/decision/v1\n" || statement)`. What
comes back is a WebAuthn assertion (Level 3, §7.2); statement and assertion together are one `Signed`.

Keys are the COSE_Key that an authenticator makes, in CTAP2's canonical CBOR, which leaves each kind of key exactly one
form: ES256 (-7), Ed25519 (-8) and RS256 with 2048 bits (-257, older Windows).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Literal, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from signoff.domain.canonical import canonical, parse_json
from signoff.domain.decision import Choice
from signoff.domain.errors import Forbidden, InvalidRequest

DECISION_PREFIX = b"signoff/decision/v1\n"
ENROLMENT_PREFIX = b"signoff/enrolment/v1\n"
SIGN_IN_PREFIX = b"signoff/sign-in/v1\n"
VERSION = 1
CHALLENGE_VALID_FOR = timedelta(minutes=5)
NONCE_BYTES = 32
MAX_PART_BYTES = 4096  # an RS256 signature has 256 bytes, client data about 200; nothing is anywhere near

_ES256 = re.compile(rb"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20(.{32})\x22\x58\x20(.{32})", re.DOTALL)
_ED25519 = re.compile(rb"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20(.{32})", re.DOTALL)
_RS256 = re.compile(rb"\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00(.{256})\x21\x43\x01\x00\x01", re.DOTALL)

_FLAGS_AT = 32
_COUNTER_AT = 33
_CREDENTIAL_AT = 37
_USER_PRESENT, _USER_VERIFIED, _BACKUP_ELIGIBLE, _BACKED_UP, _ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

Refusal = Literal[
    "malformed", "wrong_challenge", "wrong_origin", "not_verified", "bad_signature", "wrong_statement",
    "unknown_key", "counter",
]  # fmt: skip


class PasskeyInvalid(Forbidden):
    """A signature by a passkey that does not prove what it should; `reason` is a stable word."""

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person signs when they decide."""

    log: str
    case: str
    version: int
    choice: Choice
    action_digest: str | None
    decision: str
    view_digest: str
    person: str
    policy_digest: str
    at: str
    origin: str
    rp_id: str
    nonce: str
    """32 bytes, base64url."""

    def as_json(self) -> dict[str, Any]:
        """Return the form that is signed, stored and sent."""
        return {"v": VERSION, **{name: getattr(self, name) for name in _STATEMENT}}

    @property
    def challenge(self) -> bytes:
        """Return the 32 bytes that the authenticator signs over."""
        return sha256(DECISION_PREFIX + canonical(self.as_json())).digest()


_STATEMENT = (
    "log", "case", "version", "choice", "action_digest", "decision", "view_digest", "person", "policy_digest",
    "at", "origin", "rp_id", "nonce",
)  # fmt: skip
_DIGESTS = frozenset({"decision", "view_digest", "policy_digest"})


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an authenticator gave back (AuthenticatorAssertionResponse)."""

    credential_id: bytes
    authenticator_data: bytes
    client_data: bytes
    signature: bytes

    def as_json(self) -> dict[str, str]:
        """Return the parts in base64url."""
        return {name: base64url(getattr(self, name)) for name in _ASSERTION}


_ASSERTION = ("credential_id", "authenticator_data", "client_data", "signature")


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement with the assertion over it."""

    statement: Statement
    assertion: Assertion

    @property
    def credential(self) -> str:
        """Return the credential's id in base64url, as keys are listed."""
        return base64url(self.assertion.credential_id)

    def as_json(self) -> dict[str, Any]:
        """Return `{statement, assertion}`."""
        return {"statement": self.statement.as_json(), "assertion": self.assertion.as_json()}


@dataclass(frozen=True, slots=True)
class Registered:
    """A new passkey as its authenticator described it."""

    credential: str
    """Its id, base64url."""
    public_key: bytes
    """A COSE_Key."""
    sign_count: int


def base64url(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def from_base64url(text: Any) -> bytes:
    """Read base64url without padding, refusing every text but the one that `base64url` gives.

    Raises:
        PasskeyInvalid: Anything else, nothing, or over 4096 bytes.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (TypeError, ValueError, binascii.Error):
        raw = b""
    if not 0 < len(raw) <= MAX_PART_BYTES or base64url(raw) != text:
        raise PasskeyInvalid("malformed", "The passkey's answer cannot be read.")
    return raw


def read_signed(value: Any) -> Signed:
    """Read `{statement, assertion}` as `Signed.as_json` writes it.

    Raises:
        PasskeyInvalid: Any other fields or kinds.
    """
    if not isinstance(value, Mapping) or value.keys() != {"statement", "assertion"}:
        raise _malformed()
    return Signed(read_statement(value["statement"]), read_assertion(value["assertion"]))


def read_statement(value: Any) -> Statement:
    """Read a statement as `Statement.as_json` writes it.

    Raises:
        PasskeyInvalid: Any other fields or kinds.
    """
    if not isinstance(value, Mapping) or value.keys() != {"v", *_STATEMENT} or value["v"] != VERSION:
        raise _malformed()
    texts = [value[name] for name in _STATEMENT if name not in ("version", "action_digest")]
    if not all(isinstance(text, str) and 0 < len(text) <= 300 for text in texts):
        raise _malformed()
    digests = [value[name] for name in _DIGESTS]
    if value["action_digest"] is not None:
        digests.append(value["action_digest"])
    if not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in digests):
        raise _malformed()
    if type(value["version"]) is not int or value["choice"] not in get_args(Choice):
        raise _malformed()
    if not _TIME.fullmatch(value["at"]) or len(from_base64url(value["nonce"])) != NONCE_BYTES:
        raise _malformed()
    return Statement(**{name: value[name] for name in _STATEMENT})


def check_signed(signed: Signed, public_key: bytes) -> int:
    """Check that the holder of a passkey signed a statement, and was verified (PIN, finger, face) when they did.

    Nothing here says whose key it is, or whether the statement fits a case.

    Returns:
        The authenticator's signature counter; 0 where it keeps none.

    Raises:
        PasskeyInvalid: `reason` says what does not hold.
    """
    statement = signed.statement
    return check_assertion(
        signed.assertion,
        public_key,
        challenge=statement.challenge,
        origin=statement.origin,
        rp_id=statement.rp_id,
    )


def check_assertion(
    assertion: Assertion, public_key: bytes, *, challenge: bytes, origin: str, rp_id: str
) -> int:
    """Check that the holder of a passkey signed a challenge on these pages, and was verified when they did.

    Returns:
        The authenticator's signature counter; 0 where it keeps none.

    Raises:
        PasskeyInvalid: `reason` says what does not hold.
    """
    _check_client_data(assertion.client_data, kind="webauthn.get", challenge=challenge, origin=origin)
    count = _check_authenticator_data(assertion.authenticator_data, rp_id=rp_id)
    covered = assertion.authenticator_data + sha256(assertion.client_data).digest()
    _check_signature(public_key, signature=assertion.signature, covered=covered)
    return count


def read_assertion(value: Any) -> Assertion:
    """Read an assertion as `Assertion.as_json` writes it.

    Raises:
        PasskeyInvalid: Any other fields or kinds.
    """
    if not isinstance(value, Mapping) or value.keys() != set(_ASSERTION):
        raise _malformed()
    return Assertion(**{name: from_base64url(value[name]) for name in _ASSERTION})


def enrolment_challenge(statement: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes that a new passkey is made over."""
    return sha256(ENROLMENT_PREFIX + canonical(dict(statement))).digest()


def sign_in_challenge(statement: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes that a passkey signs to sign its person in; they can never be those of a decision."""
    return sha256(SIGN_IN_PREFIX + canonical(dict(statement))).digest()


def read_registration(
    client_data: bytes, authenticator_data: bytes, *, challenge: bytes, origin: str, rp_id: str
) -> Registered:
    """Return the passkey that an authenticator made (AuthenticatorAttestationResponse; attestation `none`).

    Args:
        authenticator_data: What the browser's `getAuthenticatorData()` returns.

    Raises:
        PasskeyInvalid: Made for other pages, over another challenge, or without verifying the user.
        InvalidRequest: A kind of key that is not supported.
    """
    _check_client_data(client_data, kind="webauthn.create", challenge=challenge, origin=origin)
    count = _check_authenticator_data(authenticator_data, rp_id=rp_id)
    if not authenticator_data[_FLAGS_AT] & _ATTESTED:
        raise _malformed()
    # AAGUID, then the length of the credential's id (WebAuthn §6.5.1).
    size = int.from_bytes(authenticator_data[_CREDENTIAL_AT + 16 : _CREDENTIAL_AT + 18], "big")
    start = _CREDENTIAL_AT + 18
    credential, rest = authenticator_data[start : start + size], authenticator_data[start + size :]
    if len(credential) != size or not 16 <= size <= 1023:
        raise _malformed()
    return Registered(base64url(credential), _leading_key(rest), count)


def _leading_key(data: bytes) -> bytes:
    """Return the key at the start of some bytes; extensions may follow it."""
    for form in (_ES256, _ED25519, _RS256):
        found = form.match(data)
        if found is not None:
            check_key(found[0])
            return found[0]
    raise InvalidRequest(
        "this kind of passkey is not supported; ES256, Ed25519 and RS256 are.", field="passkey"
    )


def check_key(public_key: bytes) -> None:
    """Check that some bytes are a key that can verify.

    Raises:
        InvalidRequest: They are not.
    """
    try:
        _load_key(public_key)
    except ValueError:
        raise InvalidRequest("not a COSE key of ES256, Ed25519 or RS256.", field="public_key") from None


def _load_key(public_key: bytes) -> ec.EllipticCurvePublicKey | Ed25519PublicKey | rsa.RSAPublicKey:
    if (found := _ES256.fullmatch(public_key)) is not None:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + found[1] + found[2])
    if (found := _ED25519.fullmatch(public_key)) is not None:
        return Ed25519PublicKey.from_public_bytes(found[1])
    if (found := _RS256.fullmatch(public_key)) is not None:
        return rsa.RSAPublicNumbers(65537, int.from_bytes(found[1], "big")).public_key()
    raise ValueError("no known form")


def _check_signature(public_key: bytes, *, signature: bytes, covered: bytes) -> None:
    try:
        match _load_key(public_key):
            case Ed25519PublicKey() as key:
                key.verify(signature, covered)
            case rsa.RSAPublicKey() as key:
                key.verify(signature, covered, padding.PKCS1v15(), SHA256())
            case key:
                key.verify(signature, covered, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise PasskeyInvalid("bad_signature", "The passkey did not sign this decision.") from None


def _check_client_data(raw: bytes, *, kind: str, challenge: bytes, origin: str) -> None:
    try:
        data = parse_json(raw, field="client_data")
    except InvalidRequest:
        raise _malformed() from None
    if not isinstance(data, dict) or data.get("type") != kind:
        raise _malformed()
    if data.get("challenge") != base64url(challenge):
        raise PasskeyInvalid("wrong_challenge", "The passkey signed something else. Decide again.")
    # `crossOrigin` is true in a frame of somebody else's page.
    if data.get("origin") != origin or data.get("crossOrigin", False) is not False:
        raise PasskeyInvalid("wrong_origin", "The passkey was used on other pages than these.")


def _check_authenticator_data(data: bytes, *, rp_id: str) -> int:
    if len(data) < _CREDENTIAL_AT:
        raise _malformed()
    if data[:_FLAGS_AT] != sha256(rp_id.encode("utf-8")).digest():
        raise PasskeyInvalid("wrong_origin", "The passkey belongs to other pages than these.")
    flags = data[_FLAGS_AT]
    if not flags & _USER_PRESENT or not flags & _USER_VERIFIED:
        raise PasskeyInvalid(
            "not_verified", "The passkey did not check who you are. Use one with a PIN, finger or face."
        )
    if flags & _BACKED_UP and not flags & _BACKUP_ELIGIBLE:
        raise _malformed()
    return int.from_bytes(data[_COUNTER_AT:_CREDENTIAL_AT], "big")


def check_counter(given: int, *, held: int) -> None:
    """Refuse a signature counter that did not grow: two devices hold the key (WebAuthn §6.1.1).

    Raises:
        PasskeyInvalid: It did not, and the authenticator keeps one.
    """
    if (given or held) and given <= held:
        raise PasskeyInvalid(
            "counter", "This passkey may have been copied: its counter did not grow. Have it revoked."
        )


def _malformed() -> PasskeyInvalid:
    return PasskeyInvalid("malformed", "The passkey's answer cannot be read.")
