"""Passkeys: two people enrol one, and it counts for the decision that it signed and for no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.exceptions import InvalidSignature
from tests._support.authenticator import Authenticator
from tests._support.cases import approve, ask, verified
from tests._support.clock import HandClock
from tests._support.passkeys import (
    MERGER,
    ORIGIN,
    POLICY,
    RP_ID,
    VAULT,
    device,
    enrolled,
    offered,
    sign,
    sign_and_decide,
    signed,
)
from tests.conftest import Cast
from tests.docs.test_reference import snippet_of_receipts
from tests.promises import promise

from signoff.audit.operators import NoHumanSignature, check_receipt
from signoff.audit.passkey import PasskeyInvalid, base64url, enrolment_challenge
from signoff.audit.receipt import key_set, read, unverified_fields
from signoff.desk.decide import decide, undo
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.look import look
from signoff.desk.passkeys import (
    confirm_passkey,
    enrolment,
    offer_passkey,
    passkeys_of,
    pinned_keys,
    revoke_passkey,
)
from signoff.desk.people import add_person, disable_person
from signoff.desk.signing import challenge
from signoff.desk.wait import wait_for_decision
from signoff.domain.decision import Answer
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, Stale, StepUpNeeded
from signoff.domain.people import SignIn

YES, NO = Answer("approve"), Answer("reject", note="not today")


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def settings() -> DeskSettings:
    return DeskSettings(base_url=ORIGIN, undo_s=10)


@pytest.fixture
async def phone(desk: Desk, cast: Cast) -> Authenticator:
    """Omar's phone, which Sofia has confirmed."""
    authenticator = device()
    await enrolled(desk, cast.omar, authenticator, by=cast.sofia)
    return authenticator


async def vault(desk: Desk, cast: Cast) -> str:
    return (await ask(desk, cast.ada, VAULT)).escalation_id


async def newest_event(desk: Desk) -> dict[str, Any]:
    async with desk.store.reading() as reader:
        last = [body async for page in reader.events() for _, body in page][-1]
    event: dict[str, Any] = orjson.loads(last)
    return event


# Enrolling


async def test_a_new_passkey_waits_for_a_second_person(desk: Desk, cast: Cast) -> None:
    authenticator = device()
    waiting = await offered(desk, cast.omar, authenticator, "Omar's phone")
    case = await vault(desk, cast)
    assert waiting.state == "waiting"
    with pytest.raises(Forbidden, match="no passkey here yet"):
        await sign(desk, cast.omar, authenticator, case, YES)

    confirmed = await confirm_passkey(desk, cast.sofia, waiting.credential)
    assert (confirmed.state, confirmed.enrolled_by) == ("in use", cast.sofia.person.id)
    assert await passkeys_of(desk, "Omar") == [confirmed]
    event = await newest_event(desk)
    assert (event["type"], event["actor"]["id"]) == ("person.passkey_enrolled", cast.sofia.person.id)
    assert "Omar's phone" not in str(event)
    assert (await sign_and_decide(desk, cast.omar, authenticator, case, YES)).case.assurance == "passkey"


async def test_nobody_confirms_their_own_passkey(desk: Desk, cast: Cast) -> None:
    waiting = await offered(desk, cast.sofia, device())
    with pytest.raises(Forbidden, match="your own"):
        await confirm_passkey(desk, cast.sofia, waiting.credential)


async def test_only_admins_and_supervisors_confirm_passkeys(desk: Desk, cast: Cast) -> None:
    waiting = await offered(desk, cast.sofia, device())
    for by in (cast.omar, cast.amir, replace(cast.sofia, only_case="esc_1")):
        with pytest.raises(Forbidden):
            await confirm_passkey(desk, by, waiting.credential)
    admin = SignIn(await add_person(desk, "Adam", roles=["admin"]), "session")
    assert (await confirm_passkey(desk, admin, waiting.credential)).state == "in use"
    with pytest.raises(Conflict):
        await confirm_passkey(desk, admin, waiting.credential)
    with pytest.raises(NotFound):
        await confirm_passkey(desk, admin, "nothing")


async def test_a_passkey_is_offered_by_its_person_within_five_minutes_and_once(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    authenticator = device()
    statement = await enrolment(desk, cast.omar)
    made = authenticator.create(enrolment_challenge(statement))

    async def offer(by: SignIn, **changed: Any) -> None:
        values: dict[str, Any] = {
            "statement": statement,
            "client_data": made.client_data,
            "authenticator_data": made.authenticator_data,
            "label": "phone",
            **changed,
        }
        await offer_passkey(desk, by, **values)

    with pytest.raises(PasskeyInvalid):
        await offer(cast.sofia)
    with pytest.raises(PasskeyInvalid):
        await offer(cast.omar, statement={**statement, "nonce": "A" * 43})
    with pytest.raises(InvalidRequest):
        await offer(cast.omar, label="")
    with pytest.raises(Forbidden):
        await offer(replace(cast.omar, assurance="link", only_case="esc_1"))
    await offer(cast.omar)
    with pytest.raises(Conflict, match="known already"):
        await offer(cast.omar)
    clock.advance(301)
    with pytest.raises(PasskeyInvalid, match="five minutes"):
        await offer(cast.omar)


async def test_a_disabled_person_adds_and_confirms_nothing(desk: Desk, cast: Cast) -> None:
    waiting = await offered(desk, cast.omar, device())
    await disable_person(desk, "Sofia")
    with pytest.raises(Forbidden):
        await confirm_passkey(desk, cast.sofia, waiting.credential)
    with pytest.raises(Forbidden):
        await offered(desk, cast.sofia, device())


# Deciding


@promise("only-that-human")
async def test_a_trigger_that_asks_for_a_passkey_takes_nothing_less(
    desk: Desk, cast: Cast, phone: Authenticator
) -> None:
    case = await vault(desk, cast)
    for assurance in ("link", "session", "passkey"):
        with pytest.raises(StepUpNeeded):
            await approve(desk, replace(cast.omar, assurance=assurance), case)
    view = await sign_and_decide(desk, cast.omar, phone, case, YES)
    assert (view.case.status, view.case.assurance) == ("approved", "passkey")


async def test_a_magic_link_with_a_passkey_is_enough(desk: Desk, cast: Cast, phone: Authenticator) -> None:
    case = await vault(desk, cast)
    here = replace(cast.omar, assurance="link", only_case=case)
    assert (await sign_and_decide(desk, here, phone, case, YES)).case.status == "approved"


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "RS256"])
async def test_the_receipt_carries_the_signature_and_a_stranger_checks_it(
    desk: Desk, cast: Cast, clock: HandClock, algorithm: Any
) -> None:
    authenticator = device(algorithm=algorithm)
    await enrolled(desk, cast.omar, authenticator, by=cast.sofia)
    case = await vault(desk, cast)
    await sign_and_decide(desk, cast.omar, authenticator, case, Answer("modify", arguments={"door": 8}))
    clock.advance(11)
    told = await wait_for_decision(desk, cast.ada, case)
    assert told.receipt is not None
    receipt = read(told.receipt, key_set(desk.keys.jwks()))
    (human,) = receipt.passkey
    assert (receipt.outcome, human.statement.choice) == ("modified", "modify")
    assert human.statement.action_digest == receipt.action_digest

    operators = await pinned_keys(desk)
    assert check_receipt(receipt, operators) == 1
    with pytest.raises(NoHumanSignature, match="not pinned"):
        check_receipt(receipt, replace(operators, keys=()))
    report = await verified(desk)
    assert (report.problems, report.human_signatures) == ((), 1)


async def test_a_rejection_is_signed_too(desk: Desk, cast: Cast, phone: Authenticator) -> None:
    case = await vault(desk, cast)
    with pytest.raises(StepUpNeeded):
        await decide_as_shown(desk, cast.omar, case, NO)
    view = await sign_and_decide(desk, cast.omar, phone, case, NO)
    assert view.case.status == "rejected"
    assert (await verified(desk)).human_signatures == 1


async def decide_as_shown(desk: Desk, who: SignIn, case: str, given: Answer) -> None:
    view = await look(desk, who, case)
    await decide(desk, who, case, given, version=view.case.version, view_digest=view.view_digest)


async def test_two_approvers_sign_each_their_own(desk: Desk, cast: Cast, phone: Authenticator) -> None:
    laptop = device(algorithm="Ed25519")
    await enrolled(desk, cast.sofia, laptop, by=await second_supervisor(desk))
    case = (await ask(desk, cast.ada, MERGER)).escalation_id
    changed = Answer("modify", arguments={"with": "Initech"})
    assert (await sign_and_decide(desk, cast.omar, phone, case, changed)).case.is_open
    view = await sign_and_decide(desk, cast.sofia, laptop, case, YES)
    assert view.case.status == "modified"
    receipt = read(view.decisions[-1].receipt or "", key_set(desk.keys.jwks()))
    assert [one.statement.person for one in receipt.passkey] == list(view.case.decided_by)
    assert check_receipt(receipt, await pinned_keys(desk)) == 2
    assert ((await verified(desk)).problems, (await verified(desk)).human_signatures) == ((), 2)


async def second_supervisor(desk: Desk) -> SignIn:
    return SignIn(await add_person(desk, "Selma", roles=["supervisor"]), "session")


async def test_another_answer_than_the_one_that_was_signed_is_refused(
    desk: Desk, cast: Cast, phone: Authenticator
) -> None:
    case = await vault(desk, cast)
    view, proof = await sign(desk, cast.omar, phone, case, YES)
    shown: dict[str, Any] = {"version": view.case.version, "view_digest": view.view_digest}
    for other in (NO, Answer("approve", note="hurry"), Answer("modify", arguments={"door": 1})):
        with pytest.raises(PasskeyInvalid) as caught:
            await decide(desk, cast.omar, case, other, **shown, proof=proof)
        assert caught.value.reason == "wrong_statement"
    with pytest.raises(PasskeyInvalid):
        await decide(desk, cast.omar, case, YES, **shown, proof=replace(proof, salt=bytes(32)))
    assert (await decide(desk, cast.omar, case, YES, **shown, proof=proof)).case.status == "approved"


async def test_a_signature_for_one_case_decides_no_other(
    desk: Desk, cast: Cast, phone: Authenticator
) -> None:
    one, other = await vault(desk, cast), await vault(desk, cast)
    _, proof = await sign(desk, cast.omar, phone, one, YES)
    view = await look(desk, cast.omar, other)
    with pytest.raises(PasskeyInvalid) as caught:
        await decide(desk, cast.omar, other, YES, version=1, view_digest=view.view_digest, proof=proof)
    assert caught.value.reason == "wrong_statement"


async def test_a_signature_counts_once_also_after_an_undo(
    desk: Desk, cast: Cast, phone: Authenticator
) -> None:
    phone.counts = False  # a synced passkey, whose counter would not show it
    case = await vault(desk, cast)
    view, proof = await sign(desk, cast.omar, phone, case, YES)
    shown: dict[str, Any] = {"version": view.case.version, "view_digest": view.view_digest}
    await decide(desk, cast.omar, case, YES, **shown, proof=proof)
    again = await undo(desk, cast.omar, case)
    with pytest.raises(Stale):
        await decide(desk, cast.omar, case, YES, **shown, proof=proof)
    with pytest.raises(PasskeyInvalid):
        await decide(
            desk,
            cast.omar,
            case,
            YES,
            version=again.case.version,
            view_digest=again.view_digest,
            proof=proof,
        )


async def test_a_challenge_is_good_for_five_minutes(
    desk: Desk, cast: Cast, phone: Authenticator, clock: HandClock
) -> None:
    case = await vault(desk, cast)
    view, proof = await sign(desk, cast.omar, phone, case, YES)
    clock.advance(301)
    with pytest.raises(PasskeyInvalid, match="five minutes"):
        await decide(desk, cast.omar, case, YES, version=1, view_digest=view.view_digest, proof=proof)


@promise("only-that-human")
async def test_somebody_elses_passkey_signs_nothing(desk: Desk, cast: Cast, phone: Authenticator) -> None:
    case = await vault(desk, cast)
    hers = device()
    await enrolled(desk, cast.sofia, hers, by=await second_supervisor(desk))
    view = await look(desk, cast.omar, case)
    asked = await challenge(
        desk, cast.omar, case, YES, version=view.case.version, view_digest=view.view_digest
    )
    stranger = device()
    for other in (hers, stranger):
        got = other.get(asked.statement.challenge)
        proof = sign_with(asked, got)
        with pytest.raises(PasskeyInvalid) as caught:
            await decide(desk, cast.omar, case, YES, version=1, view_digest=view.view_digest, proof=proof)
        assert caught.value.reason == "unknown_key"
    borrowed = replace(stranger.get(asked.statement.challenge), credential_id=phone.credential_id)
    with pytest.raises(PasskeyInvalid) as caught:
        await decide(
            desk,
            cast.omar,
            case,
            YES,
            version=1,
            view_digest=view.view_digest,
            proof=sign_with(asked, borrowed),
        )
    assert caught.value.reason == "bad_signature"


def sign_with(asked: Any, got: Any) -> Any:
    from signoff.desk.signing import Proof

    return Proof(signed(asked.statement, got), asked.salt)


async def test_a_copied_authenticator_shows_by_its_counter(
    desk: Desk, cast: Cast, phone: Authenticator
) -> None:
    await sign_and_decide(desk, cast.omar, phone, await vault(desk, cast), YES)
    phone.count = 0
    with pytest.raises(PasskeyInvalid) as caught:
        await sign_and_decide(desk, cast.omar, phone, await vault(desk, cast), YES)
    assert caught.value.reason == "counter"


async def test_a_revoked_passkey_signs_nothing_and_what_it_signed_stays(
    desk: Desk, cast: Cast, phone: Authenticator
) -> None:
    case, next_case = await vault(desk, cast), await vault(desk, cast)
    await sign_and_decide(desk, cast.omar, phone, case, YES)
    view, proof = await sign(desk, cast.omar, phone, next_case, YES)
    (held,) = await passkeys_of(desk, "Omar")
    with pytest.raises(Forbidden):
        await revoke_passkey(desk, held.credential, by=cast.amir)
    assert (await revoke_passkey(desk, held.credential, by=cast.omar)).state == "revoked"
    with pytest.raises(Conflict):
        await revoke_passkey(desk, held.credential, by=None)
    with pytest.raises(PasskeyInvalid):
        await decide(desk, cast.omar, next_case, YES, version=1, view_digest=view.view_digest, proof=proof)
    report = await verified(desk)
    assert (report.problems, report.human_signatures) == ((), 1)
    assert [key.rp_id for key in (await pinned_keys(desk)).keys] == [RP_ID]


async def test_the_snippet_in_the_documentation_checks_what_people_signed(
    desk: Desk, cast: Cast, phone: Authenticator
) -> None:
    signed_by_people = snippet_of_receipts("signed_by_people")
    view = await sign_and_decide(desk, cast.omar, phone, await vault(desk, cast), YES)
    fields = unverified_fields(view.decisions[-1].receipt or "")
    operators = orjson.loads((await pinned_keys(desk)).text())
    assert signed_by_people(fields, operators)
    assert not signed_by_people({**fields, "action_digest": fields["policy_digest"]}, operators)
    assert not signed_by_people({**fields, "sub": "esc_other"}, operators)
    assert not signed_by_people({**fields, "outcome": "rejected"}, operators)
    with pytest.raises(KeyError):
        signed_by_people({**fields, "passkey": []}, operators)
    with pytest.raises(KeyError):
        signed_by_people(fields, {"keys": []})
    other = {**operators["keys"][0], "public_key": base64url(device().public_key)}
    with pytest.raises(InvalidSignature):
        signed_by_people(fields, {"keys": [other]})
