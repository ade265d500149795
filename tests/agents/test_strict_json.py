"""Messages that two readers could read differently never reach the SDK."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.types import JSONRPCError
from starlette.types import Receive, Scope, Send

from signoff.agents.strict_json import (
    MAX_MESSAGE_BYTES,
    StrictBody,
    check_message,
    error_text,
    read_pieces,
    strict_lines,
)

CALL = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","arguments":%s}}'

REFUSED: dict[str, tuple[str, int, int | None, str]] = {
    "a duplicate key": (
        '{"amount":1,"amount":99999}',
        -32600,
        7,
        "the key amount appears twice in one object.",
    ),
    "a duplicate key in another spelling": ('{"a":1,"\\u0061":2}', -32600, 7, "the key a appears twice"),
    "NaN": ('{"amount":NaN}', -32600, 7, "NaN is not JSON."),
    "infinity": ('{"amount":-Infinity}', -32600, 7, "-Infinity is not JSON."),
    "a number beyond doubles": ('{"amount":1e400}', -32600, 7, "NaN and infinities are not JSON numbers."),
    "an integer beyond 2^53": ('{"amount":9007199254740993}', -32600, 7, "an integer of 16 digits"),
    "an integer of 5,000 digits": ('{"amount":%s}' % ("9" * 5000), -32600, None, "thousands of digits"),
    "half a surrogate pair": ('{"name":"\\ud83d"}', -32600, 7, "half a surrogate pair"),
    "NUL": ('{"name":"a\\u0000"}', -32600, 7, "a NUL character"),
    "nesting beyond 64": ("[" * 80 + "]" * 80, -32600, 7, "64 levels of nesting"),
    "nesting without end": ("[" * 100_000 + "]" * 100_000, -32600, None, "64 levels of nesting"),
    "half a message": ('{"a":', -32700, None, "not JSON"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_an_ambiguous_message_is_named_and_its_request_answered(case: str) -> None:
    arguments, code, request_id, why = REFUSED[case]
    error = check_message((CALL % arguments).encode())
    assert error is not None
    assert (error.error.code, error.id) == (code, request_id)
    assert why in error.error.message
    assert len(error.error.message) < 400


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        (b'{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}', None),
        (b'{"jsonrpc":"2.0","id":"a-7","method":"ping","method":"x"}', "a-7"),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping","method":"x"}', None),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"id":3,"id":3}}', None),
        (b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}', None),
        (b'[{"jsonrpc":"2.0","id":7,"a":1,"a":2}]', None),
        (b"\xff\xfe", None),
        (b"null garbage", None),
    ],
)
def test_an_id_in_doubt_is_null(message: bytes, request_id: str | None) -> None:
    error = check_message(message)
    assert error is not None
    assert error.id == request_id
    assert json.loads(error_text(error))["id"] == request_id


def test_a_good_message_passes() -> None:
    assert check_message((CALL % '{"amount":1.5,"name":"Grüße 🎉"}').encode()) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_arrives_is_passed_or_answered(message: bytes) -> None:
    error = check_message(message)
    if error is None:
        json.loads(message)
    else:
        assert json.loads(error_text(error))["error"]["code"] in (-32700, -32600)


async def _lines(source: bytes) -> tuple[list[str], list[JSONRPCError]]:
    refused: list[JSONRPCError] = []

    async def refuse(error: JSONRPCError) -> None:
        refused.append(error)

    pieces: list[bytes] = []
    read_pieces(io.BytesIO(source), pieces.append)
    assert max(map(len, pieces)) <= MAX_MESSAGE_BYTES + 1

    async def given() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return [line async for line in strict_lines(given(), refuse)], refused


async def test_a_bad_line_is_answered_and_the_next_is_served() -> None:
    good = CALL % "{}"
    lines, refused = await _lines(f'{good}\n{{"id":1,"id":2}}\n\n{good}\n{good}'.encode())
    assert [json.loads(line) for line in lines] == [json.loads(good)] * 3
    assert [error.error.code for error in refused] == [-32600]


async def test_a_line_over_the_limit_is_refused_and_the_next_is_served() -> None:
    good = CALL % "{}"
    huge = b'"' + b"x" * (2 * MAX_MESSAGE_BYTES + 5) + b'"\n'
    lines, refused = await _lines(huge + good.encode() + b"\n" + huge[:-1])
    assert lines == [good + "\n"]
    assert ["limit_exceeded" in error.error.message for error in refused] == [True, True]


async def _served(scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def http() -> Any:
    transport = httpx.ASGITransport(app=StrictBody(_served))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_good_body_is_passed_on_byte_for_byte(http: httpx.AsyncClient) -> None:
    body = (CALL % '{"a": 1}').encode()
    answer = await http.post("/", content=body)
    assert (answer.status_code, answer.content) == (200, body)


async def test_a_bad_body_is_answered_with_400(http: httpx.AsyncClient) -> None:
    answer = await http.post("/", content=CALL % '{"a":1,"a":2}')
    assert answer.status_code == 400
    assert answer.json()["id"] == 7
    assert (
        answer.json()["error"]["message"]
        == "invalid_request: message: the key a appears twice in one object."
    )


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_answered_with_413(http: httpx.AsyncClient, declared: bool) -> None:
    async def chunks() -> Any:
        for _ in range(5):
            yield b"x" * 1024 * 1024

    body: Any = b"x" * (MAX_MESSAGE_BYTES + 1) if declared else chunks()
    answer = await http.post("/", content=body)
    assert answer.status_code == 413
    assert "limit_exceeded" in answer.json()["error"]["message"]


async def test_other_methods_are_not_read(http: httpx.AsyncClient) -> None:
    assert (await http.request("DELETE", "/", content=b"NaN")).status_code == 200
