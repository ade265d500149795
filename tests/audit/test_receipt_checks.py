"""Receipts that other processes check get the same verdicts, in the same order, as those that are checked here."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import Any

import orjson
import pytest
from tests._support.logs import KEYS, NOW, POLICY, RECEIPT_KEY

from signoff.audit import receipt_checks
from signoff.audit.receipt import Receipt, issue, unverified_fields
from signoff.audit.receipt_checks import ReceiptChecks


def receipt(number: int) -> str:
    return issue(
        Receipt(
            issuer="example.com/log42",
            escalation_id=f"esc_{number}",
            agent_id="agt_ada",
            issued_at=NOW,
            expires_at=NOW,
            id=f"dec_{number}",
            outcome="rejected",
            action_digest=None,
            proposed_digest=POLICY,
            decided_by="policy",
            assurance="none",
            policy_digest=POLICY,
            audit_seq=number,
        ),
        RECEIPT_KEY,
    )


TOKENS = [receipt(number) for number in range(60)]


def given() -> list[tuple[str, dict[str, Any], int]]:
    """Return receipts of which every seventh is forged and every eleventh states something else."""
    made = []
    for number, token in enumerate(TOKENS):
        stated = unverified_fields(token)
        if number % 11 == 10:
            stated = {**stated, "outcome": "approved"}
        elif number % 7 == 6:
            head, body, _ = token.split(".")
            token = f"{head}.{body}.{TOKENS[number - 1].split('.')[2]}"
        made.append((token, stated, number))
    return made


JWKS = orjson.dumps(KEYS.receipts)


def found() -> list[tuple[int, str]]:
    checks: ReceiptChecks[int] = ReceiptChecks()
    told = []
    for token, stated, number in given():
        told += checks.add(token, stated, number, jwks=JWKS)
    return told + checks.finish()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipt_checks, "ALONE", 10)
    monkeypatch.setattr(receipt_checks, "BLOCK", 5)
    monkeypatch.setattr(receipt_checks, "MOST_BLOCKS", 3)


EXPECTED = [number for number in range(60) if number % 11 == 10 or number % 7 == 6]


def test_every_wrong_receipt_is_told_once_and_in_order() -> None:
    assert [number for number, _ in found()] == EXPECTED


@pytest.mark.usefixtures("small_blocks")
def test_other_processes_find_the_same() -> None:
    shared = found()
    assert [number for number, _ in shared] == EXPECTED
    assert {what for number, what in shared if number % 11 == 10} == {"its receipt states another decision"}


@pytest.mark.usefixtures("small_blocks")
def test_where_no_process_can_be_started_the_same_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(ProcessPoolExecutor, "submit", refused)
    assert [number for number, _ in found()] == EXPECTED


def test_without_receipt_keys_only_what_they_state_is_compared() -> None:
    checks: ReceiptChecks[int] = ReceiptChecks()
    for token, stated, number in given():
        assert checks.add(token, stated, number, jwks=b"null") == []
    assert [number for number, _ in checks.finish()] == [number for number in EXPECTED if number % 11 == 10]
