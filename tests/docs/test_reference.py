"""What the product can say is documented: error codes, event types, and the receipt snippet runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import signoff.audit.keys
import signoff.audit.receipt
import signoff.desk.responses  # noqa: F401 -- its error classes are among those that are looked for
from signoff.audit.keys import create_keys
from signoff.audit.receipt import Decider, Receipt, issue
from signoff.domain.action import action_digest
from signoff.domain.errors import SignoffError

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "server" / "signoff"
DIGEST = "sha256:" + "0" * 64


def subclasses(cls: type[SignoffError]) -> set[type[SignoffError]]:
    return {cls}.union(*(subclasses(one) for one in cls.__subclasses__()))


def documented(page: str) -> set[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))


def test_every_error_code_is_documented_and_every_documented_code_exists() -> None:
    codes = {one.code for one in subclasses(SignoffError) if one.__module__.startswith("signoff.")}

    assert documented("errors.md") == codes


def test_every_event_type_is_documented_and_every_documented_type_exists() -> None:
    written: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        written |= set(re.findall(r'\bDraft\(\s*"([a-z_]+\.[a-z_]+)"', text))

    assert documented("events.md") == written


def test_the_receipt_snippet_accepts_the_approved_call_and_no_other(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "receipts.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    made: dict[str, object] = {}
    exec(compile(snippet, "receipts.md", "exec"), made)  # noqa: S102 -- the documentation is what is tested
    may_run = made["may_run"]
    assert callable(may_run)
    keys = create_keys(tmp_path / "keys", origin="signoff.example/docs")
    now = datetime.now(UTC)  # noqa: TID251 -- the snippet reads the machine's clock
    receipt = Receipt(
        issuer=keys.origin,
        escalation_id="esc_1",
        agent_id="agt_1",
        issued_at=now,
        expires_at=now + timedelta(minutes=10),
        id="dec_1",
        outcome="approved",
        action_digest=action_digest("refund", {"cents": 500}, server=None),
        proposed_digest=DIGEST,
        decided_by=(Decider("per_1", ("operator",)),),
        assurance="link",
        policy_digest=DIGEST,
        audit_seq=1,
    )
    token = issue(receipt, keys.receipt)

    assert may_run(token, "refund", {"cents": 500}, keys.jwks(), "agt_1")
    assert not may_run(token, "refund", {"cents": 501}, keys.jwks(), "agt_1")
    assert not may_run(token, "refund", {"cents": 500}, keys.jwks(), "agt_2")
