"""Sign what was decided, in the transaction that records it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from signoff.audit.keys import KeyExposed, KeyInvalid, KeyMissing, ReceiptKey, receipt_key
from signoff.audit.passkey import Signed
from signoff.audit.receipt import Decider, Receipt, issue
from signoff.desk.desk import Desk
from signoff.domain.change import Change
from signoff.domain.errors import StoreUnavailable
from signoff.domain.people import Role, SignIn


def with_receipt(
    desk: Desk,
    change: Change,
    *,
    receipt_id: str,
    seq: int,
    now: datetime,
    by: SignIn | None,
    signed: tuple[Signed, ...] = (),
) -> Change:
    """Return a change that ends a case with its signed receipt; any other change as it is.

    Args:
        seq: The number that the change's event will have.
        by: The person who decided last; None where the policy decided.
        signed: What people signed with a passkey.
    """
    case = change.case
    if case.status not in ("approved", "modified", "rejected") or case.release_at is None:
        return change
    roles: dict[str, tuple[Role, ...]] = {one.person_id: one.roles for one in case.approvals}
    if by is not None:
        roles[by.person.id] = tuple(sorted(by.person.roles))
    receipt = Receipt(
        issuer=desk.keys.origin,
        escalation_id=case.id,
        agent_id=case.agent_id,
        issued_at=now,
        expires_at=case.valid_until or case.release_at + case.approval_valid_for,
        id=receipt_id,
        outcome=case.status,
        action_digest=case.final_digest,
        proposed_digest=case.action_digest,
        decided_by="policy" if by is None else tuple(Decider(one, roles[one]) for one in case.decided_by),
        assurance=case.assurance or "none",
        policy_digest=case.policy_digest,
        audit_seq=seq,
        passkey=signed,
    )
    return replace(change, receipt=issue(receipt, _key(desk)))


def _key(desk: Desk) -> ReceiptKey:
    try:
        return receipt_key(desk.keys)
    except (KeyMissing, KeyExposed, KeyInvalid, OSError) as error:
        # The error names a path of this machine, and an agent may read this.
        raise StoreUnavailable(
            "The decision cannot be signed, so it was not taken. Check the keys directory: `signoff doctor`."
        ) from error
