"""JSON at the doors: what two readers could read differently is refused before anything is hashed or stored.

The SDK's own readers keep the last of two equal keys and take NaN. So every message is read here first: a line of
stdio, or the body of an HTTP request. Both answer with a JSON-RPC error that names the problem and, where it can
be read, the id of the request.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from functools import partial
from typing import BinaryIO

from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signoff.domain.canonical import parse_json
from signoff.domain.errors import InvalidRequest, LimitExceeded

MAX_MESSAGE_BYTES = 4 * 1024 * 1024  # a bundle of 2 MB, escaped, with room; what the SDK allows over HTTP

ENVELOPE = 8  # message, params, arguments, bundle, a list and its item: then what the agent nested itself
Refuse = Callable[[JSONRPCError], Awaitable[None]]


def check_message(data: bytes) -> JSONRPCError | None:
    """Return the error to answer a message with, None for one that can go on to the SDK.

    -32700 for what is not JSON at all, -32600 for JSON that could be read in two ways or is over a limit.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        return _refusal(None, LimitExceeded("message", f"{MAX_MESSAGE_BYTES} bytes", f"{len(data)} bytes"))
    try:
        parse_json(data, field="message", envelope=ENVELOPE)
    except InvalidRequest as problem:
        return _refusal(_leniently_read_id(data), problem)
    return None


async def strict_lines(pieces: AsyncIterable[bytes], refuse: Refuse) -> AsyncGenerator[str]:
    """Yield the messages of a stdio connection, one a line, that can go on to the SDK.

    Args:
        pieces: As `read_pieces` makes them.
        refuse: Sends the error for a line that is not passed on.
    """
    skipping = False
    async for piece in pieces:
        goes_on = len(piece) > MAX_MESSAGE_BYTES and not piece.endswith(b"\n")
        if skipping:  # the rest of a line that was refused already
            skipping = goes_on
            continue
        skipping = goes_on
        if not piece.strip() and not goes_on:
            continue
        problem = check_message(piece)
        if problem is None:
            yield piece.decode()
        else:
            await refuse(problem)


def read_pieces(source: BinaryIO, give: Callable[[bytes], object]) -> None:
    """Read lines and give each away, until the end; a line over the limit comes in pieces, so none is held whole."""
    for piece in iter(partial(source.readline, MAX_MESSAGE_BYTES + 1), b""):
        give(piece)


class StrictBody:
    """ASGI middleware: reads a POST's body, at most 4 MB of it, and lets only strict JSON pass."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body, rest = await _read_body(scope, receive)
        if body is None:
            await send_error(send, 413, _too_large())
            return
        problem = check_message(body) if rest is None else None
        if problem is not None:
            await send_error(send, 400, problem)
            return
        replay: list[Message] = [{"type": "http.request", "body": body, "more_body": rest is not None}]
        if rest is not None:
            replay.append(rest)

        async def replayed() -> Message:
            return replay.pop(0) if replay else await receive()

        await self._app(scope, replayed, send)


async def send_error(
    send: Send, status: int, error: JSONRPCError, *, headers: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Answer an HTTP request with a JSON-RPC error."""
    body = error_text(error).encode()
    given = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})


def error_text(error: JSONRPCError) -> str:
    """Return a JSON-RPC error as text; an id that could not be read is null, as JSON-RPC 2.0 §5 asks."""
    made = error.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps({**made, "id": error.id}, separators=(",", ":"))


async def _read_body(scope: Scope, receive: Receive) -> tuple[bytes | None, Message | None]:
    """Return the body, None if it is too large; and the message that ended it early, if one did."""
    declared = dict(scope["headers"]).get(b"content-length", b"")
    if declared.isdigit() and int(declared) > MAX_MESSAGE_BYTES:
        return None, None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body), message
        body += message.get("body", b"")
        if len(body) > MAX_MESSAGE_BYTES:
            return None, None
        if not message.get("more_body", False):
            return bytes(body), None


def _too_large() -> JSONRPCError:
    return _refusal(None, LimitExceeded("message", f"{MAX_MESSAGE_BYTES} bytes", "more"))


def _refusal(request_id: str | int | None, problem: InvalidRequest) -> JSONRPCError:
    not_json = problem.message.startswith(("message: not JSON", "message: not UTF-8"))
    code = PARSE_ERROR if not_json else INVALID_REQUEST
    error = ErrorData(code=code, message=f"{problem.code}: {problem.message}")
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=error)


def _leniently_read_id(data: bytes) -> str | int | None:
    """Return the id of a message that is refused, if there is no doubt about it."""
    ids: list[object] = []

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        ids[:] = [value for key, value in items if key == "id"]  # the outermost object ends last
        return dict(items)

    try:
        whole = json.loads(data, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return None
    if not isinstance(whole, dict) or len(ids) != 1:
        return None
    found = ids[0]
    if isinstance(found, str):
        return found if len(found) <= 200 and found.isprintable() else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None
