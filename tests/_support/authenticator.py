"""A WebAuthn authenticator without hardware: makes passkeys and signs, as a phone or a security key would.

Written from the specification (Web Authentication Level 3, §6.1 and §7), sharing no code with the product;
`tests/audit/test_passkey.py` checks it against the `webauthn` library.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

Algorithm = Literal["ES256", "Ed25519", "RS256"]
USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
AAGUID = bytes(16)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


@dataclass(frozen=True)
class Attestation:
    """What `navigator.credentials.create` gives."""

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes

    @property
    def attestation_object(self) -> bytes:
        """The same, in the CBOR of attestation format `none`."""
        data = self.authenticator_data
        assert 256 <= len(data) < 65536 or len(data) < 256
        size = b"\x58" + bytes([len(data)]) if len(data) < 256 else b"\x59" + len(data).to_bytes(2, "big")
        return b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData" + size + data


@dataclass(frozen=True)
class Got:
    """What `navigator.credentials.get` gives."""

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes


@dataclass
class Authenticator:
    """One device with one passkey; every flag can be bent."""

    rp_id: str
    origin: str
    algorithm: Algorithm = "ES256"
    counts: bool = True
    """False: as synced passkeys do, which always send 0."""
    verifies_user: bool = True
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0
    _private: ec.EllipticCurvePrivateKey | Ed25519PrivateKey | rsa.RSAPrivateKey = field(
        init=False, repr=False
    )

    def __post_init__(self) -> None:
        match self.algorithm:
            case "ES256":
                self._private = ec.generate_private_key(ec.SECP256R1())
            case "Ed25519":
                self._private = Ed25519PrivateKey.generate()
            case "RS256":
                self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def public_key(self) -> bytes:
        """The COSE_Key (RFC 9053) in canonical CBOR."""
        match self._private:
            case Ed25519PrivateKey() as key:
                return b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20" + key.public_key().public_bytes_raw()
            case rsa.RSAPrivateKey() as key:
                modulus = key.public_key().public_numbers().n.to_bytes(256, "big")
                return b"\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00" + modulus + b"\x21\x43\x01\x00\x01"
            case key:
                point = key.public_key().public_numbers()
                x, y = point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")
                return b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y

    def create(self, challenge: bytes) -> Attestation:
        """Make the passkey known."""
        attested = AAGUID + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self.public_key
        data = self._data(ATTESTED) + attested
        return Attestation(self.credential_id, self._client_data("webauthn.create", challenge), data)

    def get(self, challenge: bytes) -> Got:
        """Sign."""
        if self.counts:
            self.count += 1
        data, client = self._data(0), self._client_data("webauthn.get", challenge)
        return Got(self.credential_id, client, data, self._sign(data + sha256(client).digest()))

    def _client_data(self, kind: str, challenge: bytes) -> bytes:
        made = {"type": kind, "challenge": b64(challenge), "origin": self.origin, "crossOrigin": False}
        return json.dumps(made, separators=(",", ":")).encode()

    def _data(self, more: int) -> bytes:
        flags = USER_PRESENT | (USER_VERIFIED if self.verifies_user else 0) | more
        return sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _sign(self, covered: bytes) -> bytes:
        match self._private:
            case Ed25519PrivateKey() as key:
                return key.sign(covered)
            case rsa.RSAPrivateKey() as key:
                return key.sign(covered, padding.PKCS1v15(), SHA256())
            case key:
                return key.sign(covered, ec.ECDSA(SHA256()))
