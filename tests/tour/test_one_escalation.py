"""One escalation through the desk, read aloud: asked, alerted, opened, decided, claimed, reported, verified."""

from __future__ import annotations

from typing import Any

from tests.conftest import Cast

from signoff.audit.receipt import verify
from signoff.audit.verify import verify_log
from signoff.desk.check import check_triggers
from signoff.desk.claim import claim, report_outcome
from signoff.desk.decide import decide
from signoff.desk.deliver import lease, record
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.request import request_approval
from signoff.desk.sign_in import open_link
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.alert import Sent
from signoff.domain.bundle import Material
from signoff.domain.decision import Answer
from signoff.store.log_source import LogSource

WIRE = Action(tool="wire_transfer", arguments={"amount": 12500, "country": "DE"}, summary="Pay the invoice")


async def test_one_escalation_from_question_to_verified_log(desk: Desk, cast: Cast) -> None:
    material = Material.model_validate(
        {"messages": [{"role": "user", "content": "Please pay invoice 77"}], "confidence": 0.8}
    )
    checked = await check_triggers(desk, cast.ada, WIRE, material)
    assert checked.verdict.outcome == "escalate"

    asked = await request_approval(desk, cast.ada, WIRE, material)
    assert asked.status == "pending"
    assert asked.triggers[0]["explanation"] == "12500 to “DE”"

    (errand,) = await lease(desk, "worker-1")
    await record(desk, "worker-1", errand, Sent())
    link, _, secret = errand.link_url.rpartition("/d/")[2].partition("#")
    opened = await open_link(desk, link, secret, source="127.0.0.1")
    assert opened.sign_in.assurance == "link"

    view = await look(desk, opened.sign_in, asked.escalation_id)
    assert view.may_decide
    after = await decide(
        desk,
        opened.sign_in,
        asked.escalation_id,
        Answer("modify", arguments={"amount": 9000, "country": "DE"}, note="only what the contract says"),
        version=view.case.version,
        view_digest=view.view_digest,
    )
    assert after.case.status == "modified"

    told = await wait_for_decision(desk, cast.ada, asked.escalation_id)
    assert told.action is not None
    may_run = Action(tool="wire_transfer", arguments=told.action["arguments"])
    assert may_run.arguments["amount"] == 9000
    assert told.receipt is not None
    receipt = verify(
        told.receipt,
        desk.keys.jwks(),
        now=desk.clock.now(),
        audience=cast.ada.id,
        action_digest=may_run.digest,
    )
    assert receipt.outcome == "modified"

    claimed = await claim(desk, cast.ada, asked.escalation_id, may_run)
    assert claimed.claimed_at is not None
    reported = await report_outcome(desk, cast.ada, asked.escalation_id, "succeeded", result={"id": "tx-1"})
    assert reported.outcome == "succeeded"

    done: list[Any] = []
    async with desk.store.snapshot() as reader:
        report = await verify_log(
            LogSource(reader), desk.keys.public(), on_progress=lambda n, of: done.append((n, of))
        )
    assert report.problems == ()
    assert report.ok
    assert done[-1][0] == report.size
