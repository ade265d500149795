"""The one translation of what went wrong into what an agent is told.

A tool that was asked for something it refuses answers with an ordinary tool error, so that the model reads why
and does better. Everything else is an error of the protocol. What nobody foresaw is "Internal error." outside and
a full log inside.
"""

from __future__ import annotations

import logging
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, CallToolResult, TextContent
from pydantic import ValidationError

from signoff.domain.bundle import also_wrong, what_is_wrong
from signoff.domain.errors import (
    ClaimRefused,
    ForkSuspected,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PolicyInvalid,
    RateLimited,
    SignoffError,
    StoreUnavailable,
)

INTERNAL = "Internal error."
STOP = "Stop here and do not run the action."
MAX_PATH_PART_CHARS = 40  # the name of an unknown field is the agent's own text, and may be a whole document

logger = logging.getLogger(__name__)


def told(error: Exception) -> str:
    """Return what an agent reads: `code: message`, and nothing of an error that nobody foresaw."""
    match error:
        case StoreUnavailable() | PolicyInvalid():
            # Fail closed: an agent that cannot ask has no approval, whatever it believes.
            return f"{error.code}: {_first_line(error)} {STOP} Try this call again later, or tell the user."
        case ClaimRefused():
            return f"{error.code}: {error.reason}: {error.message} {STOP}"
        case ForkSuspected():
            return f"{error.code}: {error.message} {STOP}"
        case RateLimited():
            return f"{error.code}: {error.message} Try again in {error.retry_after_s} seconds."
        case SignoffError() if error.code != SignoffError.code:
            return f"{error.code}: {error.message}"
        case _:
            return f"{INTERNAL} {STOP}"


def tool_error(error: Exception, *, tool: str) -> CallToolResult:
    """Return the tool error for a refusal, and log what nobody foresaw."""
    if not _foreseen(error):
        logger.error("The tool %.200r failed.", tool, exc_info=error)
    return CallToolResult(content=[TextContent(type="text", text=told(error))], is_error=True)


def protocol_error(error: Exception, *, method: str) -> MCPError:
    """Return the protocol error for a refusal, and log what nobody foresaw."""
    if not _foreseen(error):
        logger.error("The request %.200r failed.", method, exc_info=error)
        return MCPError(code=INTERNAL_ERROR, message=INTERNAL)
    return MCPError(code=_rpc_code(error), message=told(error))


def invalid_arguments(error: ValidationError) -> InvalidRequest:
    """Turn pydantic's complaint about a tool's arguments into ours: the field, what is wrong, no input values."""
    problems = error.errors(include_url=False)
    field, *others = [_path(problem["loc"]) for problem in problems]
    limit = _limit(problems[0])
    if limit is not None:
        return LimitExceeded(field, *limit)
    return InvalidRequest(f"{what_is_wrong(problems[0])}.{also_wrong(field, others)}", field=field)


def _foreseen(error: Exception) -> bool:
    return isinstance(error, SignoffError) and error.code != SignoffError.code


def _rpc_code(error: Exception) -> int:
    match error:
        case NotFound() | InvalidRequest():
            return INVALID_PARAMS  # what MCP 2026-07-28 says of a resource that is not there, too
        case StoreUnavailable() | PolicyInvalid():
            return INTERNAL_ERROR
        case _:
            return INVALID_REQUEST


def _first_line(error: SignoffError) -> str:
    # A policy's problems quote its lines, which are the operators' to read, not an agent's.
    return error.message if isinstance(error, StoreUnavailable) else "The policy cannot be read."


def _path(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in location)
    return path.lstrip(".")


def _shown(part: str) -> str:
    shown = "".join(c if c.isprintable() and c.isascii() else "?" for c in part)
    return shown if len(shown) <= MAX_PATH_PART_CHARS else shown[: MAX_PATH_PART_CHARS - 3] + "..."


def _limit(problem: Any) -> tuple[str, str] | None:
    """Return the limit and the size, where a length is what is wrong."""
    if problem["type"] == "string_too_long":
        return f"{problem['ctx']['max_length']} characters", f"{len(problem['input'])} characters"
    if problem["type"] == "too_long":
        return f"{problem['ctx']['max_length']} entries", f"{problem['ctx']['actual_length']} entries"
    return None
