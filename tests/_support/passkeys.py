"""Steps of tests with passkeys: a policy that asks for one, enrolling, and signing a decision."""

from __future__ import annotations

from typing import Any

from tests._support.authenticator import Authenticator, Got

from signoff.audit.passkey import Assertion, Signed, Statement, enrolment_challenge
from signoff.desk.decide import decide
from signoff.desk.desk import Desk
from signoff.desk.look import CaseView, look
from signoff.desk.passkeys import confirm_passkey, enrolment, offer_passkey
from signoff.desk.signing import Proof, challenge
from signoff.domain.action import Action
from signoff.domain.decision import Answer
from signoff.domain.people import Passkey, SignIn

ORIGIN, RP_ID = "https://signoff.example", "signoff.example"
POLICY = """\
version: 1
triggers:
  - id: vault
    title: Opening the vault
    tools: [open_vault]
    then: escalate
    require: {assurance: passkey}
  - id: merger
    title: Two people with passkeys
    tools: [merge_company]
    then: escalate
    require: {approvals: 2, assurance: passkey}
  - id: wire
    title: Any wire
    tools: [wire_transfer]
    then: escalate
"""
VAULT = Action(tool="open_vault", arguments={"door": 7}, summary="Get the ring")
MERGER = Action(tool="merge_company", arguments={"with": "Acme"})


def device(**more: Any) -> Authenticator:
    """Return an authenticator for the tests' pages."""
    return Authenticator(rp_id=RP_ID, origin=ORIGIN, **more)


async def offered(desk: Desk, who: SignIn, authenticator: Authenticator, label: str = "phone") -> Passkey:
    """Make a passkey that waits for a second person."""
    statement = await enrolment(desk, who)
    made = authenticator.create(enrolment_challenge(statement))
    return await offer_passkey(
        desk,
        who,
        statement=statement,
        client_data=made.client_data,
        authenticator_data=made.authenticator_data,
        label=label,
    )


async def enrolled(desk: Desk, who: SignIn, authenticator: Authenticator, *, by: SignIn) -> Passkey:
    """Make a passkey and have it confirmed."""
    waiting = await offered(desk, who, authenticator)
    return await confirm_passkey(desk, by, waiting.credential)


def signed(statement: Statement, got: Got) -> Signed:
    """Put together what a browser sends back."""
    return Signed(
        statement, Assertion(got.credential_id, got.authenticator_data, got.client_data, got.signature)
    )


async def sign(
    desk: Desk, who: SignIn, authenticator: Authenticator, escalation_id: str, given: Answer
) -> tuple[CaseView, Proof]:
    """Look at a case and sign an answer to it."""
    view = await look(desk, who, escalation_id)
    asked = await challenge(
        desk, who, escalation_id, given, version=view.case.version, view_digest=view.view_digest
    )
    got = authenticator.get(asked.statement.challenge)
    return view, Proof(signed(asked.statement, got), asked.salt)


async def sign_and_decide(
    desk: Desk, who: SignIn, authenticator: Authenticator, escalation_id: str, given: Answer
) -> CaseView:
    """Look at a case, sign an answer to it, and give it."""
    view, proof = await sign(desk, who, authenticator, escalation_id, given)
    return await decide(
        desk,
        who,
        escalation_id,
        given,
        version=view.case.version,
        view_digest=view.view_digest,
        proof=proof,
    )
