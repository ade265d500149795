"""A real SMTP server with a memory."""

from __future__ import annotations

import socket
from collections.abc import Generator
from email.message import Message as Mail
from email.parser import BytesParser
from typing import Any

import pytest
from aiosmtpd.controller import Controller


class Mailbox:
    """What an SMTP server was given, and what it answers."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.answer = "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(BytesParser().parsebytes(envelope.content))
        return self.answer


@pytest.fixture
def mailbox() -> Generator[tuple[Mailbox, int]]:
    """A mailbox and the port that it listens on."""
    box = Mailbox()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield box, port
    finally:
        server.stop()


def address_of(port: int) -> str:
    return f"mailto://127.0.0.1:{port}?from=signoff@example.com&to=omar@example.com"


def text_of(mail: Mail) -> str:
    parts = [part for part in mail.walk() if part.get_content_type() == "text/plain"]
    payload = parts[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()
