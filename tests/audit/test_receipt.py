"""Receipts, read by the code of others and refused when anything is off."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import jwt
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import KeySet
from jwt.algorithms import OKPAlgorithm

from signoff.audit.keys import Jwks, ReceiptKey
from signoff.audit.receipt import Decider, Receipt, ReceiptInvalid, SignedToken, issue, key_set, read, verify
from signoff.domain.canonical import canonical
from signoff.domain.errors import InvalidRequest

NOW = datetime(2026, 11, 23, 20, 31, 5, tzinfo=UTC)
PROPOSED, FINAL, POLICY = (f"sha256:{letter * 64}" for letter in "abc")
KEY = ReceiptKey.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
JWKS: Jwks = {"keys": [KEY.jwk]}
RECEIPT = Receipt(
    issuer="example.com/log42",
    escalation_id="esc_1",
    agent_id="agt_ada",
    issued_at=NOW,
    expires_at=NOW + timedelta(minutes=10),
    id="rcp_1",
    outcome="modified",
    action_digest=FINAL,
    proposed_digest=PROPOSED,
    decided_by=(Decider("per_sofia", ("operator", "supervisor")),),
    assurance="session",
    policy_digest=POLICY,
    audit_seq=17,
)
TOKEN = issue(RECEIPT, KEY)
FIELDS: dict[str, Any] = {
    "iss": "example.com/log42",
    "sub": "esc_1",
    "aud": "agt_ada",
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 600,
    "jti": "rcp_1",
    "outcome": "modified",
    "action_digest": FINAL,
    "proposed_digest": PROPOSED,
    "decided_by": [{"id": "per_sofia", "roles": ["operator", "supervisor"]}],
    "assurance": "session",
    "policy_digest": POLICY,
    "audit_seq": 17,
}


def signed(fields: object, *, key: ReceiptKey = KEY, **header: object) -> str:
    """A token as a stranger would make it, with whatever fields and header."""
    head = {"alg": "Ed25519", "kid": key.kid, "typ": "signoff-receipt+jwt", **header}
    head = {name: value for name, value in head.items() if value is not None}
    payload = fields if isinstance(fields, bytes) else canonical(fields)
    covered = f"{base64url(json.dumps(head).encode())}.{base64url(payload)}"
    return f"{covered}.{base64url(key.private.sign(covered.encode()))}"


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_joserfc_reads_every_field() -> None:
    token = jws.deserialize_compact(TOKEN, KeySet.import_key_set({"keys": [{**KEY.jwk}]}), ["Ed25519"])

    assert token.headers() == {"alg": "Ed25519", "kid": KEY.kid, "typ": "signoff-receipt+jwt"}
    assert json.loads(token.payload or b"") == FIELDS


def test_pyjwt_reads_every_field_once_it_is_told_the_name_ed25519() -> None:
    # PyJWT 2.15 knows the algorithm by its older name only (EdDSA, RFC 8037).
    reader = jwt.PyJWS()
    reader.register_algorithm("Ed25519", OKPAlgorithm())

    token = reader.decode_complete(TOKEN, KEY.private.public_key(), algorithms=["Ed25519"])
    assert json.loads(token["payload"]) == FIELDS


def test_a_receipt_comes_back_whole() -> None:
    assert verify(TOKEN, JWKS, now=NOW, audience="agt_ada", action_digest=FINAL) == RECEIPT
    assert issue(RECEIPT, KEY) == TOKEN


def test_the_policys_own_decision_is_signed_as_such() -> None:
    decided = replace(RECEIPT, decided_by="policy", assurance="none", outcome="approved")
    assert verify(issue(decided, KEY), JWKS, now=NOW) == decided


def test_fractions_of_a_second_are_cut_off() -> None:
    late = replace(RECEIPT, expires_at=RECEIPT.expires_at + timedelta(microseconds=999_999))
    assert issue(late, KEY) == TOKEN


def test_a_rejection_has_a_receipt_that_lets_nothing_run() -> None:
    no = replace(RECEIPT, outcome="rejected", action_digest=None)
    token = issue(no, KEY)

    assert verify(token, JWKS, now=NOW, audience="agt_ada") == no
    for digest in (PROPOSED, FINAL):
        with pytest.raises(ReceiptInvalid) as caught:
            verify(token, JWKS, now=NOW, action_digest=digest)
        assert caught.value.reason == "wrong_action"


@pytest.mark.parametrize(("outcome", "digest"), [("rejected", FINAL), ("approved", None), ("modified", None)])
def test_a_receipt_that_contradicts_itself_is_not_issued(outcome: Any, digest: str | None) -> None:
    with pytest.raises(InvalidRequest):
        issue(replace(RECEIPT, outcome=outcome, action_digest=digest), KEY)


@pytest.mark.parametrize(
    ("after_s", "audience", "digest", "reason"),
    [
        (600, None, None, "expired"),
        (10_000, None, None, "expired"),
        (-61, None, None, "not_yet_valid"),
        (0, "agt_mallory", None, "wrong_audience"),
        (0, None, PROPOSED, "wrong_action"),
    ],
)
def test_a_receipt_for_another_use_is_refused(
    after_s: int, audience: str | None, digest: str | None, reason: str
) -> None:
    with pytest.raises(ReceiptInvalid) as caught:
        verify(TOKEN, JWKS, now=NOW + timedelta(seconds=after_s), audience=audience, action_digest=digest)
    assert (caught.value.code, caught.value.reason) == ("forbidden", reason)


def test_an_expired_receipt_still_proves_what_was_decided() -> None:
    assert read(TOKEN, key_set(JWKS)) == RECEIPT


def test_another_issuers_receipt_is_refused_even_under_a_known_key_id() -> None:
    other = ReceiptKey.of(Ed25519PrivateKey.generate())
    forged = ReceiptKey(KEY.kid, other.private)
    for token in (issue(RECEIPT, other), issue(RECEIPT, forged)):
        with pytest.raises(ReceiptInvalid) as caught:
            verify(token, JWKS, now=NOW)
        assert caught.value.reason == "bad_signature"


def test_receipts_of_a_key_that_was_replaced_still_verify() -> None:
    renewed = ReceiptKey.of(Ed25519PrivateKey.generate())
    both: Jwks = {"keys": [KEY.jwk, renewed.jwk]}
    assert verify(TOKEN, both, now=NOW) == verify(issue(RECEIPT, renewed), both, now=NOW) == RECEIPT


@pytest.mark.parametrize(
    "header", [{"typ": "JWT"}, {"typ": None}, {"alg": "EdDSA"}, {"kid": None}, {"kid": "other"}, {"cty": "x"}]
)
def test_a_token_of_another_kind_is_refused(header: dict[str, Any]) -> None:
    assert verify(signed(FIELDS), JWKS, now=NOW) == RECEIPT
    with pytest.raises(ReceiptInvalid):
        verify(signed(FIELDS, **header), JWKS, now=NOW)


def unsigned() -> str:
    head = base64url(b'{"alg":"none","typ":"signoff-receipt+jwt"}')
    return f"{head}.{TOKEN.split('.')[1]}."


def signed_with_the_public_key() -> str:
    head = {"alg": "HS256", "kid": KEY.kid, "typ": "signoff-receipt+jwt"}
    return jwt.encode(FIELDS, KEY.jwk["x"] + "=" * 32, algorithm="HS256", headers=head)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        TOKEN + " ",
        TOKEN + "\n",
        TOKEN[:-1],
        TOKEN[:-2] + "zz",
        TOKEN.replace(".", ".."),
        TOKEN.rsplit(".", 1)[0] + ".",
        "x" * 30_000,
        unsigned(),
        signed_with_the_public_key(),
        signed(json.dumps(FIELDS).encode()),
        signed(b"[]"),
        signed(b"nonsense"),
        signed(b"\xff"),
        signed(canonical(FIELDS).replace(b'"iss"', b'"iss":"twice","iss"')),
    ],
)
def test_anything_else_is_no_receipt(token: str) -> None:
    with pytest.raises(ReceiptInvalid):
        verify(token, JWKS, now=NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": None}, {"exp": "soon"}, {"exp": 1.5}, {"exp": True}, {"exp": -1}, {"exp": 10**15},
        {"sub": ""}, {"sub": 7}, {"aud": ["agt_ada"]}, {"outcome": "allow"}, {"outcome": "rejected"},
        {"action_digest": None}, {"action_digest": "sha256:ab"}, {"proposed_digest": None}, {"policy_digest": 1},
        {"decided_by": []}, {"decided_by": "people"}, {"decided_by": [{"id": "per_1"}]},
        {"decided_by": [{"id": "per_1", "roles": ["king"]}]}, {"decided_by": [{"id": "", "roles": []}]},
        {"decided_by": ["per_1"]}, {"decided_by": [{"id": "per_1", "roles": "operator"}]},
        {"assurance": "certain"}, {"assurance": None}, {"audit_seq": "17"}, {"extra": 1},
    ],
)  # fmt: skip
def test_a_well_signed_token_with_wrong_fields_is_no_receipt(wrong: dict[str, Any]) -> None:
    with pytest.raises(ReceiptInvalid) as caught:
        verify(signed({**FIELDS, **wrong}), JWKS, now=NOW)
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_receipt_without_one_of_its_fields_is_no_receipt(name: str) -> None:
    with pytest.raises(ReceiptInvalid):
        verify(signed({key: value for key, value in FIELDS.items() if key != name}), JWKS, now=NOW)


@given(st.binary(min_size=64, max_size=64), st.integers(0, 511), st.booleans())
def test_a_signature_holds_exactly_where_openssl_says_so(junk: bytes, bit: int, add_order: bool) -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    made = key.sign(b"message")
    flipped = (int.from_bytes(made, "little") ^ (1 << bit)).to_bytes(64, "little")
    second = (int.from_bytes(made[32:], "little") + order).to_bytes(32, "little") if add_order else made[32:]
    small = (
        b"\x01" + b"\x00" * 31
    )  # a point of order 1: with it as a key, many signatures hold for many messages
    cases = [
        (key.public_key().public_bytes_raw(), made),
        (key.public_key().public_bytes_raw(), flipped),
        (key.public_key().public_bytes_raw(), made[:32] + second),
        (key.public_key().public_bytes_raw(), junk),
        (small, small + b"\x00" * 32),
        (small, junk),
    ]
    for public, signature in cases:
        known = Ed25519PublicKey.from_public_bytes(public)
        try:
            known.verify(signature, b"message")
            holds = True
        except InvalidSignature:
            holds = False
        assert SignedToken(cast(Receipt, None), b"message", signature, known).holds() is holds
