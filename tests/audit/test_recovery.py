"""A recovery names the old checkpoint and two people who may, or the log does not verify."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.promises import promise

from signoff.audit import chain, merkle
from signoff.audit.checkpoint import Checkpoint, SigningKey, sign
from signoff.audit.keys import CheckpointRefused, CheckpointSigner, KeyInvalid, PublicKeys, create_keys
from signoff.audit.payloads import PayloadRow
from signoff.audit.recovery import allowed_text, parse_allowed, recovery_data
from signoff.audit.report import Report
from signoff.audit.verifier import Verifier
from signoff.domain.clock import from_text
from signoff.domain.event import SYSTEM, Draft, commitment

KEY = SigningKey("example.com/log42", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = SigningKey("example.com/log42", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
KEYS = PublicKeys((KEY.verifier,), None)
NOW = from_text("2026-11-23T20:31:05.000000Z")
REASON = PayloadRow(0, "reason", bytes(32), b'{"reason":"the disk died"}')


class Log:
    """A log of people, whose old history went on to twelve events."""

    def __init__(self) -> None:
        self.head, self.raws = chain.EMPTY, list[bytes]()
        for name, role in (("sofia", "supervisor"), ("amir", "admin"), ("omar", "operator")):
            self.add("person.added", {"person": f"per_{name}", "roles": [role], "queues": []})
        self.add("person.added", {"person": "per_gone", "roles": ["admin"], "queues": []})
        self.add("person.disabled", {"person": "per_gone"})
        old = self.head
        for number in range(7):
            old, _ = chain.append(old, Draft("old", NOW, SYSTEM, {"n": number}), log=KEY.name)
        self.old = Checkpoint(KEY.name, old.size, old.root)
        self.old_note = sign(self.old, KEY)
        self.kept: list[PayloadRow] = []

    def add(self, kind: str, data: dict[str, Any]) -> None:
        self.head, made = chain.append(self.head, Draft(kind, NOW, SYSTEM, data), log=KEY.name)
        self.raws.append(made.raw)

    def recover(self, *, epoch: int = 2, people: Any = ("per_sofia", "per_amir"), **changed: Any) -> None:
        restored = Checkpoint(KEY.name, self.head.size, self.head.root)
        data = recovery_data(
            epoch=epoch,
            restored=restored,
            old=self.old,
            old_note=self.old_note,
            people=people,
            assurance="none",
        )
        reason = REASON._replace(seq=self.head.size, salt=bytes([self.head.size]) * 32)
        self.kept.append(reason)
        self.add("log.recovered", {**data, "reason": commitment(reason.salt, reason.data), **changed})

    def signed(self) -> str:
        return sign(Checkpoint(KEY.name, self.head.size, self.head.root), KEY)

    def verified(self, *anchors: str) -> Report:
        verifier = Verifier(KEYS)
        for note in anchors:
            verifier.anchor(note)
        for seq, raw in enumerate(self.raws):
            verifier.event(seq, raw)
        for row in self.kept:
            verifier.payload(row)
        return verifier.finish()


def test_an_old_copy_is_found_and_after_its_recovery_says_what_is_lost() -> None:
    log = Log()
    assert log.verified(log.old_note).first_bad_event == 5
    log.recover()
    for _ in range(20):  # grown past the size that was signed before
        log.add("noted", {})

    report = log.verified(log.old_note, log.signed())

    assert report.problems == ()
    (recovery,) = report.recoveries
    assert (recovery.seq, recovery.epoch, recovery.lost) == (5, 2, 7)
    assert (recovery.old, recovery.people) == (log.old, ("per_sofia", "per_amir"))


@promise("provable")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"people": ["per_sofia"]}, "without two people"),
        ({"people": ["per_sofia", "per_sofia"]}, "without two people"),
        ({"people": "per_sofia"}, "without two people"),
        ({"people": ["per_sofia", "per_mallory"]}, "whom the log does not know"),
        ({"people": ["per_sofia", "per_gone"]}, "whom the log does not know"),
        ({"people": ["per_omar", "per_sofia"]}, "neither admin nor supervisor"),
        ({"old_size": 11}, "another checkpoint than the one it carries"),
        ({"old_root": "A" * 43 + "="}, "another checkpoint than the one it carries"),
        ({"old_note": sign(Log().old, OTHER)}, "this log's key did not sign"),
        ({"old_note": "nothing"}, "this log's key did not sign"),
        ({"restored_size": 4}, "another tree than the one before it"),
        ({"restored_root": "A" * 43 + "="}, "another tree than the one before it"),
        ({"epoch": 3}, "opens epoch 3 where 2 comes next"),
    ],
)
def test_a_recovery_that_does_not_fit_is_refused_and_gives_up_nothing(
    changed: dict[str, Any], said: str
) -> None:
    log = Log()
    log.recover(**changed)
    report = log.verified(log.old_note)
    assert any(said in problem.what and problem.seq == 5 for problem in report.problems), report.problems
    assert "was signed" in str(report.problems)  # the old checkpoint still speaks against the log
    assert report.recoveries == ()


def test_whose_role_was_changed_since_may_recover_by_the_role_they_have() -> None:
    log = Log()
    log.add("person.changed", {"person": "per_omar", "roles": ["supervisor"], "queues": []})
    log.add("person.changed", {"person": "per_sofia", "roles": ["operator"], "queues": []})
    log.recover(people=("per_omar", "per_amir"))
    assert log.verified(log.old_note).problems == ()

    log = Log()
    log.add("person.changed", {"person": "per_sofia", "roles": ["operator"], "queues": []})
    log.recover()
    assert "neither admin nor supervisor" in str(log.verified(log.old_note).problems)


def test_a_log_that_was_whole_is_not_recovered() -> None:
    log = Log()
    log.old = Checkpoint(KEY.name, log.head.size, log.head.root)
    log.old_note = sign(log.old, KEY)
    log.recover()
    assert "was whole" in str(log.verified().problems)


@promise("provable")
def test_any_other_checkpoint_of_the_old_history_still_speaks_against_the_log() -> None:
    """Whoever holds one learns that what it covered was given up; nothing is excused by its size alone."""
    log = Log()
    head = log.head
    for number in range(3):
        head, _ = chain.append(head, Draft("old", NOW, SYSTEM, {"n": number}), log=KEY.name)
    between = sign(Checkpoint(KEY.name, head.size, head.root), KEY)
    log.recover()
    for _ in range(20):
        log.add("noted", {})

    report = log.verified(between, log.old_note)

    (problem,) = report.problems
    assert "given up by the recovery at event 5" in problem.what


def test_a_second_recovery_opens_the_third_epoch() -> None:
    log = Log()
    log.recover()
    first = log.old_note
    fork = log.head
    for number in range(3):
        fork, _ = chain.append(fork, Draft("old", NOW, SYSTEM, {"n": number}), log=KEY.name)
    log.old = Checkpoint(KEY.name, fork.size, fork.root)
    log.old_note = sign(log.old, KEY)
    log.recover(epoch=3)

    report = log.verified(first, log.old_note)

    assert [one.epoch for one in report.recoveries] == [2, 3]
    assert report.problems == ()


# The signer's guard


@promise("signed-first")
def test_the_signer_gives_up_what_it_signed_only_for_the_recovery_it_remembers(tmp_path: Any) -> None:
    keys = create_keys(tmp_path / "keys", origin=KEY.name)
    signer = CheckpointSigner(keys)
    old = signer.sign(12, bytes(32))
    with pytest.raises(CheckpointRefused):
        signer.sign(6, bytes([1]) * 32)
    other = sign(Checkpoint(KEY.name, 9, bytes([2]) * 32), keys.log)
    signer.allow(5, merkle.leaf_hash(b"event"), [other])
    with pytest.raises(CheckpointRefused):
        signer.sign(6, bytes([1]) * 32)  # allowed for another checkpoint
    signer.allow(5, merkle.leaf_hash(b"event"), [other, old])
    with pytest.raises(CheckpointRefused):
        signer.sign(5, bytes([1]) * 32)  # a tree that does not hold the event
    signer.sign(6, bytes([1]) * 32)
    with pytest.raises(CheckpointRefused):
        signer.sign(6, bytes([3]) * 32)  # and from there on as before
    with pytest.raises(CheckpointRefused):
        signer.sign(5, bytes([1]) * 32)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"seq":"1","leaf":"00","superseded":[]}', "x"])
def test_a_damaged_memory_of_a_recovery_is_said_and_allows_nothing(tmp_path: Any, text: str) -> None:
    keys = create_keys(tmp_path / "keys", origin=KEY.name)
    signer = CheckpointSigner(keys)
    signer.sign(12, bytes(32))
    (keys.directory / "log.recovered").write_text(text, encoding="utf-8")
    with pytest.raises(KeyInvalid):
        signer.sign(6, bytes(32))
    with pytest.raises(ValueError):
        parse_allowed(allowed_text(5, bytes(32), [sign(Log().old, OTHER)]), [KEY.verifier])
