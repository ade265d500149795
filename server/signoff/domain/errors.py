"""The errors that a caller can meet, each with a stable `code`.

A message says what happened, which field or limit, and what to do next. It never carries bundle content,
arguments or secrets: messages travel to agents, pages and log files alike.
"""

from __future__ import annotations

from typing import ClassVar


class SignoffError(Exception):
    """Anything signoff refuses to do; catching this one is always safe."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(SignoffError):
    """No such thing for this caller; an absent and a foreign id answer alike."""

    code = "not_found"


class Forbidden(SignoffError):
    """The caller is known and may not do this."""

    code = "forbidden"


class LinkSpent(Forbidden):
    """A magic link that opens nothing: used, expired, revoked, foreign or forged.

    The reader is told one and the same thing for all of them; `why` is for the audit log only.
    """

    def __init__(self, why: str) -> None:
        super().__init__("This link no longer opens anything. Ask for a fresh one.")
        self.why = why


class StepUpNeeded(Forbidden):
    """The decision needs a surer proof of who decides than this sign-in session gives."""

    def __init__(self, needed: str, given: str) -> None:
        super().__init__(
            f"This decision needs assurance '{needed}' and you are here with '{given}'. Sign in, then decide again."
        )
        self.needed = needed
        self.given = given


class InvalidRequest(SignoffError):
    """Input that cannot be taken; `field` names where in it."""

    code = "invalid_request"

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class LimitExceeded(InvalidRequest):
    """Input over a limit; refused whole, never cut."""

    code = "limit_exceeded"

    def __init__(self, field: str, limit: str, size: str) -> None:
        super().__init__(
            f"over the limit: {size}, at most {limit}. Nothing was stored; send less.", field=field
        )
        self.limit = limit
        self.size = size


class Conflict(SignoffError):
    """The request disagrees with what is already recorded."""

    code = "conflict"


class ClaimRefused(Conflict):
    """An approval that may not be used for this action now; `reason` is a stable word.

    Reasons: `not_approved`, `digest_mismatch`, `approval_expired`, `already_claimed`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Stale(Conflict):
    """The case changed after the page was shown, so the decision was not taken."""


class ForkSuspected(Conflict):
    """A checkpoint that the log's key signed and that this log does not contain: somebody was shown another log."""

    code = "fork_suspected"

    def __init__(self, size: int, *, known_size: int) -> None:
        what = f"has only {known_size} events" if size > known_size else "began with other events"
        super().__init__(
            f"The log's key signed that checkpoint of {size} events, and this log {what}: it was cut, restored from"
            " an old copy, or forked. Rely on nothing that it says, keep the checkpoint, and tell an auditor."
        )
        self.size = size
        self.known_size = known_size


class AlreadyDecided(SignoffError):
    """Someone or something else ended the case first."""

    code = "already_decided"

    def __init__(self, escalation_id: str, status: str, decided_by: str) -> None:
        who = f" by {decided_by}" if decided_by else ""
        super().__init__(
            f"This case is already {status}{who}. Nothing was changed; reload to see the outcome."
        )
        self.escalation_id = escalation_id
        self.status = status
        self.decided_by = decided_by


class PolicyInvalid(SignoffError):
    """A policy file that cannot be loaded; one `problem` per line, each with its position."""

    code = "policy_error"

    def __init__(self, source: str, problems: list[str]) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{source} is not a valid policy:\n{lines}")
        self.source = source
        self.problems = problems


class StoreUnavailable(SignoffError):
    """The store could not be read or written; the outcome of the call is unknown or nothing happened."""

    code = "store_unavailable"


class RateLimited(SignoffError):
    """Too many tries in a short time."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
