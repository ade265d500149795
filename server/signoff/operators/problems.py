"""Errors as people meet them: the one place that turns a `SignoffError` into a status and a page."""

from __future__ import annotations

from dataclasses import dataclass

from signoff.domain.errors import (
    AlreadyDecided,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    RateLimited,
    SignoffError,
    StoreUnavailable,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for a page to say."""

    status: int
    code: str
    message: str
    """Written for people, without bundle content; empty where the template's own words are all there is."""
    field: str = ""
    retry_after_s: int | None = None


def problem_of(error: SignoffError) -> Problem:
    """Return how a page tells an error."""
    match error:
        case NotFound():
            return Problem(404, error.code, error.message)
        case RateLimited():
            return Problem(429, error.code, error.message, retry_after_s=error.retry_after_s)
        case Forbidden():
            return Problem(403, error.code, error.message)
        case InvalidRequest():
            return Problem(422, error.code, _without_field(error), error.field)
        case AlreadyDecided() | Conflict():
            return Problem(409, error.code, error.message)
        case StoreUnavailable():
            return Problem(503, error.code, error.message)
        case _:
            return Problem(500, "internal", "")


def _without_field(error: InvalidRequest) -> str:
    """Return the message as it stands beside its field, as a sentence."""
    text = error.message.removeprefix(f"{error.field}: ") if error.field else error.message
    return text[:1].upper() + text[1:]
