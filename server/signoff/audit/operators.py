"""Whose passkey is whose: pinned operator keys, and the human signatures that a log must hold.

`operators.json`, which an auditor keeps where the server's administrator cannot reach it:

    {"v": 1, "log": "example.com/log42",
     "keys": [{"person": "per_…", "credential": "base64url", "public_key": "base64url COSE_Key", "rp_id": "example.com"}]}

Without it the keys that the log itself enrolled are used; then it is the server that vouches for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from signoff.audit.fold import Folded
from signoff.audit.passkey import (
    CHALLENGE_VALID_FOR,
    PasskeyInvalid,
    Signed,
    base64url,
    check_key,
    check_signed,
    from_base64url,
    read_signed,
)
from signoff.audit.receipt import Receipt
from signoff.domain.clock import from_text
from signoff.domain.errors import Forbidden, InvalidRequest

ENROLLED = "person.passkey_enrolled"
REVOKED = "person.passkey_revoked"
HUMAN_KINDS = frozenset({ENROLLED, REVOKED})
"""The only events that `HumanSignatures.follow` need be given."""
DECISIONS = frozenset({"escalation.approval_given", "escalation.decided"})
NO_SIGNATURE = "no valid human signature"
VERSION = 1

_KEY = frozenset({"person", "credential", "public_key", "rp_id"})
_OUTCOMES = {
    "approve": frozenset({"approved", "modified"}),  # agreeing to a colleague's modification ends as modified
    "modify": frozenset({"modified", "approved"}),  # and changing it back to the proposal ends as approved
    "reject": frozenset({"rejected"}),
}


class NoHumanSignature(Forbidden):
    """A receipt that no known person's passkey signed."""

    def __init__(self, why: str) -> None:
        super().__init__(f"There is {NO_SIGNATURE}: {why}.")


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """One passkey and the person it belongs to."""

    person: str
    credential: str
    """Its id, base64url."""
    public_key: bytes
    """A COSE_Key."""
    rp_id: str
    """The host that it signs for."""


@dataclass(frozen=True, slots=True)
class Operators:
    """The passkeys of one log's people."""

    log: str
    keys: tuple[OperatorKey, ...]

    def text(self) -> str:
        """Return `operators.json`."""
        keys = [
            {
                "person": key.person,
                "credential": key.credential,
                "public_key": base64url(key.public_key),
                "rp_id": key.rp_id,
            }
            for key in self.keys
        ]
        made = {"v": VERSION, "log": self.log, "keys": keys}
        return orjson.dumps(made, option=orjson.OPT_INDENT_2).decode("ascii") + "\n"


def read_operators(data: bytes) -> Operators:
    """Read `operators.json`.

    Raises:
        InvalidRequest: Anything else.
    """
    try:
        held = orjson.loads(data)
        if held["v"] != VERSION or not isinstance(held["log"], str):
            raise _not_operators()
        return Operators(held["log"], tuple(_operator_key(one) for one in held["keys"]))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidRequest, PasskeyInvalid):
        raise _not_operators() from None


def _operator_key(value: Any) -> OperatorKey:
    if value.keys() != _KEY or not all(isinstance(value[name], str) for name in _KEY):
        raise ValueError("another form")
    raw = from_base64url(value["public_key"])
    check_key(raw)
    return OperatorKey(value["person"], value["credential"], raw, value["rp_id"])


def _not_operators() -> InvalidRequest:
    return InvalidRequest("not a file of `signoff people pin`.", field="operators")


class HumanSignatures:
    """Follows a log and says which decisions lack a person's signature.

    A signature counts if the key is pinned (or, without pins, was enrolled in the log before), belongs to the person
    whom the event names, was not revoked before, and signs exactly this decision on this case.
    """

    def __init__(self, origin: str, pinned: Operators | None) -> None:
        self._origin = origin
        self._pinned = pinned
        self._keys: dict[str, OperatorKey] = {}
        self.valid = 0
        if pinned is not None:
            self._keys = {key.credential: key for key in pinned.keys}

    @property
    def pinned(self) -> bool:
        """Say whether the keys come from a file of the verifier's own."""
        return self._pinned is not None

    def follow(self, kind: str, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
        """Take from an event what it says of passkeys; returns what is wrong with it."""
        if kind == REVOKED:
            self._keys.pop(str(data.get("credential")), None)
        if kind != ENROLLED:
            return None
        if actor.get("kind") != "person" or actor.get("id") in (None, data.get("person")):
            return "enrols a passkey without a second person"
        try:
            key = _operator_key({name: data.get(name) for name in _KEY})
        except (ValueError, InvalidRequest, PasskeyInvalid):
            return "enrols a passkey that is no key"
        if self._pinned is None:
            self._keys[key.credential] = key
        return None

    def opened_wrongly(self, case: Folded) -> str | None:
        """Say whether a case was opened as approved though it needs a person: the policy alone never does that."""
        if case.assurance_needed == "passkey" and case.fields["status"] in ("approved", "modified"):
            return f"approves what needs a passkey, with {NO_SIGNATURE}: it names nobody"
        return None

    def wrong(self, kind: str, case: Folded, record: Mapping[str, Any], *, version: int) -> str | None:
        """Say why an event's decision is not the signed decision of the person it names; None if it is, or need not be.

        Args:
            case: As its events say it is; only what its opening stated is read.
            version: The case's moves before this event.
        """
        actor, data = record["actor"], record["data"]
        if kind not in DECISIONS or "passkey" not in (case.assurance_needed, actor.get("assurance")):
            return None
        try:
            signed = read_signed(data.get("passkey"))
            self._check_fits(signed, kind, case, record, version=version)
            _check_signed_by(signed, self._keys, pinned=self.pinned)
        except PasskeyInvalid as error:
            return f"holds {NO_SIGNATURE}: {_short(error)}"
        self.valid += 1
        return None

    def _check_fits(
        self, signed: Signed, kind: str, case: Folded, record: Mapping[str, Any], *, version: int
    ) -> None:
        said, data = signed.statement, record["data"]
        expected = {
            "log": self._origin,
            "case": record.get("escalation"),
            "version": version,
            "action_digest": data.get("action_digest"),
            "decision": data.get("decision"),
            "view_digest": data.get("view_digest"),
            "person": record["actor"].get("id"),
            "policy_digest": case.fields.get("policy_digest"),
        }
        _check_equal(signed, expected)
        fits = said.choice != "reject"
        if kind == "escalation.decided":
            fits = str(data.get("status")) in _OUTCOMES[said.choice]
        if not fits:
            raise _another("choice")
        if not said.at <= record["at"] or not _soon_after(said.at, record["at"]):
            raise _another("time")


def _soon_after(signed_at: str, decided_at: str) -> bool:
    try:
        return from_text(decided_at) - from_text(signed_at) <= CHALLENGE_VALID_FOR
    except ValueError:
        return False


def check_receipt(receipt: Receipt, operators: Operators) -> int:
    """Check that everybody whom a receipt names signed what it states, with a pinned passkey.

    Returns:
        How many people signed.

    Raises:
        NoHumanSignature: Somebody did not, or nobody was asked.
    """
    if receipt.decided_by == "policy":
        raise NoHumanSignature("the policy decided, and nobody was asked")
    keys = {key.credential: key for key in operators.keys}
    for decider in receipt.decided_by:
        try:
            signed = _signed_by(receipt, decider.id)
            expected = {
                "log": receipt.issuer,
                "case": receipt.escalation_id,
                "action_digest": receipt.action_digest,
                "person": decider.id,
                "policy_digest": receipt.policy_digest,
            }
            _check_equal(signed, expected)
            if receipt.outcome not in _OUTCOMES[signed.statement.choice]:
                raise _another("choice")
            _check_signed_by(signed, keys, pinned=True)
        except PasskeyInvalid as error:
            raise NoHumanSignature(f"of {decider.id}, {_short(error)}") from None
    return len(receipt.decided_by)


def _signed_by(receipt: Receipt, person: str) -> Signed:
    for one in receipt.passkey:
        if one.statement.person == person:
            return one
    raise PasskeyInvalid("malformed", "it carries no signature")


def _check_equal(signed: Signed, expected: Mapping[str, Any]) -> None:
    for name, value in expected.items():
        if getattr(signed.statement, name) != value:
            raise _another(name)


def _another(name: str) -> PasskeyInvalid:
    return PasskeyInvalid("wrong_statement", f"the statement that was signed names another {name}")


def _check_signed_by(signed: Signed, keys: Mapping[str, OperatorKey], *, pinned: bool) -> None:
    key = keys.get(signed.credential)
    if key is None:
        where = "not pinned" if pinned else "not enrolled in the log"
        raise PasskeyInvalid("unknown_key", f"the passkey is {where}, or was revoked")
    if key.person != signed.statement.person:
        raise PasskeyInvalid("unknown_key", "the passkey is another person's")
    if key.rp_id != signed.statement.rp_id:
        raise PasskeyInvalid("wrong_origin", "the passkey belongs to other pages")
    check_signed(signed, key.public_key)


def _short(error: PasskeyInvalid) -> str:
    text = error.message.rstrip(".")
    return text[:1].lower() + text[1:]


def pins(log: str, keys: Iterable[OperatorKey]) -> Operators:
    """Return operator keys in a stable order, for a file that is compared by eye."""
    return Operators(log, tuple(sorted(keys, key=lambda key: (key.person, key.credential))))
