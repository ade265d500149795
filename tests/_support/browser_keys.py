"""What a browser holds of a push subscription, and an independent way to read what is sent to it."""

from __future__ import annotations

import importlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from signoff.alerts.vapid import b64url, point_of


class Browser:
    """The keys of one subscription."""

    def __init__(self, endpoint: str) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self.endpoint = endpoint
        self.auth_bytes = bytes(range(16))
        self.p256dh = b64url(point_of(self._private.public_key()))
        self.auth = b64url(self.auth_bytes)

    @property
    def address(self) -> str:
        return f"webpush:{self.endpoint}#{self.p256dh}.{self.auth}"

    def read(self, body: bytes) -> bytes:
        """Decrypt with `http_ece`, the library of the specification's authors."""
        http_ece: Any = importlib.import_module("http_ece")
        plain: bytes = http_ece.decrypt(
            body, private_key=self._private, auth_secret=self.auth_bytes, version="aes128gcm"
        )
        return plain
