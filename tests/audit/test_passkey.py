"""Signatures by passkeys: what the `webauthn` library accepts is accepted, and nothing that is off in one place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from tests._support.authenticator import Algorithm, Authenticator, Got
from tests._support.passkeys import ORIGIN, RP_ID, device, signed
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers.exceptions import InvalidAuthenticationResponse
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    RegistrationCredential,
)

from signoff.audit.passkey import (
    PasskeyInvalid,
    Signed,
    Statement,
    base64url,
    check_counter,
    check_signed,
    read_registration,
    read_signed,
)
from signoff.domain.canonical import canonical
from signoff.domain.errors import InvalidRequest

DIGESTS = [f"sha256:{letter * 64}" for letter in "abcd"]
STATEMENT = Statement(
    log="example.com/log42",
    case="esc_1",
    version=1,
    choice="approve",
    action_digest=DIGESTS[0],
    decision=DIGESTS[1],
    view_digest=DIGESTS[2],
    person="per_omar",
    policy_digest=DIGESTS[3],
    at="2026-11-23T20:31:05.123456Z",
    origin=ORIGIN,
    rp_id=RP_ID,
    nonce=base64url(bytes(range(32))),
)
ALGORITHMS: tuple[Algorithm, ...] = ("ES256", "Ed25519", "RS256")


@pytest.fixture(params=ALGORITHMS)
def authenticator(request: pytest.FixtureRequest) -> Authenticator:
    return device(algorithm=request.param)


def test_the_challenge_is_the_hash_that_is_documented() -> None:
    assert STATEMENT.challenge == sha256(b"signoff/decision/v1\n" + canonical(STATEMENT.as_json())).digest()


def test_a_registration_is_read_as_the_webauthn_library_reads_it(authenticator: Authenticator) -> None:
    made = authenticator.create(b"challenge" * 4)
    theirs = verify_registration_response(
        credential=RegistrationCredential(
            id=base64url(made.credential_id),
            raw_id=made.credential_id,
            response=AuthenticatorAttestationResponse(
                client_data_json=made.client_data, attestation_object=made.attestation_object
            ),
        ),
        expected_challenge=b"challenge" * 4,
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
        require_user_verification=True,
    )
    ours = read_registration(
        made.client_data,
        made.authenticator_data,
        challenge=b"challenge" * 4,
        origin=ORIGIN,
        rp_id=RP_ID,
    )
    assert ours.public_key == theirs.credential_public_key == authenticator.public_key
    assert ours.credential == base64url(theirs.credential_id)
    assert ours.sign_count == theirs.sign_count


def theirs(got: Got, key: bytes, *, challenge: bytes, count: int = 0) -> Any:
    """Verify with the `webauthn` library."""
    return verify_authentication_response(
        credential=AuthenticationCredential(
            id=base64url(got.credential_id),
            raw_id=got.credential_id,
            response=AuthenticatorAssertionResponse(
                client_data_json=got.client_data,
                authenticator_data=got.authenticator_data,
                signature=got.signature,
            ),
        ),
        expected_challenge=challenge,
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
        credential_public_key=key,
        credential_current_sign_count=count,
        require_user_verification=True,
    )


def test_a_signature_that_the_webauthn_library_accepts_is_accepted(authenticator: Authenticator) -> None:
    got = authenticator.get(STATEMENT.challenge)
    accepted = theirs(got, authenticator.public_key, challenge=STATEMENT.challenge)
    assert check_signed(signed(STATEMENT, got), authenticator.public_key) == accepted.new_sign_count == 1


def test_it_is_read_again_as_it_was_written(authenticator: Authenticator) -> None:
    made = signed(STATEMENT, authenticator.get(STATEMENT.challenge))
    again = read_signed(json.loads(json.dumps(made.as_json())))
    assert again == made
    assert check_signed(again, authenticator.public_key) == 1


@pytest.mark.parametrize("name", [name for name in STATEMENT.as_json() if name != "v"])
def test_a_statement_that_differs_in_any_field_was_not_signed(name: str) -> None:
    authenticator = device()
    made = signed(STATEMENT, authenticator.get(STATEMENT.challenge))
    other: Any = {"version": 2, "choice": "reject"}.get(name, f"{str(getattr(STATEMENT, name))[:-1]}0")
    changed = replace(made, statement=replace(STATEMENT, **{name: other}))
    with pytest.raises(PasskeyInvalid) as caught:
        check_signed(changed, authenticator.public_key)
    assert caught.value.reason == "wrong_challenge"


def bent_data(at: int, bits: int) -> Callable[[Got], Got]:
    def bend(got: Got) -> Got:
        data = bytearray(got.authenticator_data)
        data[at] ^= bits
        return replace(got, authenticator_data=bytes(data))

    return bend


def bent_client(old: bytes, new: bytes) -> Callable[[Got], Got]:
    return lambda got: replace(got, client_data=got.client_data.replace(old, new))


BENT: dict[str, tuple[Callable[[Got], Got], str]] = {
    "another host": (bent_data(0, 1), "wrong_origin"),
    "nobody touched it": (bent_data(32, 0x01), "not_verified"),
    "nobody was verified": (bent_data(32, 0x04), "not_verified"),
    "a backup that cannot be": (bent_data(32, 0x10), "malformed"),
    "another counter": (bent_data(36, 0xFF), "bad_signature"),
    "cut off": (lambda got: replace(got, authenticator_data=got.authenticator_data[:36]), "malformed"),
    "another page": (bent_client(b"https://signoff.example", b"https://signoff.evil"), "wrong_origin"),
    "in a frame": (bent_client(b"false", b"true"), "wrong_origin"),
    "a registration": (bent_client(b"webauthn.get", b"webauthn.create"), "malformed"),
    "not JSON": (bent_client(b"}", b""), "malformed"),
    "two challenges": (bent_client(b'"challenge"', b'"challenge":"AAAA","challenge"'), "malformed"),
    "more client data": (bent_client(b"}", b',"x":1}'), "bad_signature"),
    "another signature": (
        lambda got: replace(got, signature=got.signature[:-1] + bytes([got.signature[-1] ^ 1])),
        "bad_signature",
    ),
}


@pytest.mark.parametrize("what", BENT)
def test_an_answer_that_is_off_in_one_place_is_refused_here_and_by_the_webauthn_library(
    what: str, authenticator: Authenticator
) -> None:
    bend, reason = BENT[what]
    got = bend(authenticator.get(STATEMENT.challenge))
    with pytest.raises(PasskeyInvalid) as caught:
        check_signed(signed(STATEMENT, got), authenticator.public_key)
    assert caught.value.reason == reason
    if what not in ("in a frame", "two challenges"):  # the library leaves these to its caller
        with pytest.raises(Exception):  # noqa: B017 - it raises of many kinds
            theirs(got, authenticator.public_key, challenge=STATEMENT.challenge)


def test_a_device_without_user_verification_decides_nothing() -> None:
    weak = device(verifies_user=False)
    got = weak.get(STATEMENT.challenge)
    with pytest.raises(PasskeyInvalid) as caught:
        check_signed(signed(STATEMENT, got), weak.public_key)
    assert caught.value.reason == "not_verified"
    with pytest.raises(InvalidAuthenticationResponse):
        theirs(got, weak.public_key, challenge=STATEMENT.challenge)


def test_another_key_did_not_sign_it(authenticator: Authenticator) -> None:
    made = signed(STATEMENT, authenticator.get(STATEMENT.challenge))
    for algorithm in ALGORITHMS:
        with pytest.raises(PasskeyInvalid) as caught:
            check_signed(made, device(algorithm=algorithm).public_key)
        assert caught.value.reason == "bad_signature"


@pytest.mark.parametrize(
    ("given", "held", "fine"), [(0, 0, True), (5, 4, True), (5, 5, False), (0, 3, False)]
)
def test_a_counter_that_did_not_grow_is_a_copied_key(given: int, held: int, fine: bool) -> None:
    if fine:
        check_counter(given, held=held)
        return
    with pytest.raises(PasskeyInvalid) as caught:
        check_counter(given, held=held)
    assert caught.value.reason == "counter"


@pytest.mark.parametrize("bend", [b"\xa0", b"", bytes(77)], ids=["a map", "nothing", "zeros"])
def test_a_kind_of_key_that_cannot_verify_is_not_registered(bend: bytes) -> None:
    authenticator = device()
    made = authenticator.create(b"c" * 32)
    data = made.authenticator_data[: -len(authenticator.public_key)] + bend
    with pytest.raises(InvalidRequest, match="not supported"):
        read_registration(made.client_data, data, challenge=b"c" * 32, origin=ORIGIN, rp_id=RP_ID)


MALFORMED: list[Callable[[dict[str, Any]], Any]] = [
    lambda value: None,
    lambda value: [],
    lambda value: {**value, "more": 1},
    lambda value: {**value, "assertion": None},
    lambda value: {**value, "assertion": {**value["assertion"], "signature": "AA=="}},
    lambda value: {**value, "assertion": {**value["assertion"], "signature": ""}},
    lambda value: {**value, "assertion": {**value["assertion"], "signature": 7}},
    lambda value: {**value, "assertion": {**value["assertion"], "signature": "A" * 9000}},
    lambda value: {**value, "statement": {**value["statement"], "v": 2}},
    lambda value: {**value, "statement": {**value["statement"], "version": "1"}},
    lambda value: {**value, "statement": {**value["statement"], "choice": "allow"}},
    lambda value: {**value, "statement": {**value["statement"], "case": ["esc_1"]}},
    lambda value: {**value, "statement": {**value["statement"], "action_digest": 7}},
    lambda value: {**value, "statement": {**value["statement"], "decision": "sha256:00"}},
    lambda value: {**value, "statement": {**value["statement"], "nonce": "AAAA"}},
    lambda value: {**value, "statement": {**value["statement"], "at": "yesterday"}},
]


@pytest.mark.parametrize("bend", MALFORMED, ids=range(len(MALFORMED)))
def test_any_other_form_is_not_read(bend: Callable[[dict[str, Any]], Any]) -> None:
    made: Signed = signed(STATEMENT, device().get(STATEMENT.challenge))
    with pytest.raises(PasskeyInvalid) as caught:
        read_signed(bend(made.as_json()))
    assert caught.value.reason == "malformed"
