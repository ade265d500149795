"""Whether the signed log holds the decision that a receipt states."""

from __future__ import annotations

from collections.abc import Iterable

from signoff.audit.checkpoint import Checkpoint, VerifierKey
from signoff.audit.event_form import parse_event
from signoff.audit.receipt import Receipt
from signoff.audit.tlog_proof import ProofInvalid, parse_proof, proven_event
from signoff.domain.canonical import sha256


def check_receipt_proof(
    text: str, *, token: str, receipt: Receipt, keys: Iterable[VerifierKey]
) -> Checkpoint:
    """Return the checkpoint under which a proof shows the event that a receipt belongs to.

    Args:
        text: The proof that came with the receipt; it carries the event.
        token: The receipt as it was given, whose digest the event holds.
        receipt: What the token states, its signature checked.
        keys: The log's keys that are trusted.

    Raises:
        ProofInvalid: Another event's, another receipt's, or no proof at all.
        CheckpointInvalid: None of the keys signed the checkpoint.
    """
    raw, checkpoint = proven_event(parse_proof(text), keys)
    event = parse_event(raw) or {"data": {}}
    stated = (event.get("log"), event.get("seq"), event.get("escalation"), event["data"].get("receipt"))
    if stated != (receipt.issuer, receipt.audit_seq, receipt.escalation_id, sha256(token.encode("ascii"))):
        raise ProofInvalid("it proves another event than the one this receipt belongs to.", field="proof")
    return checkpoint
