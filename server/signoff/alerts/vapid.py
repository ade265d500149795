"""The key by which push services know this server: RFC 8292 (VAPID).

    keys/vapid.key    a P-256 private key as PEM (PKCS #8), 0600

A browser's subscription is bound to it: with another key every browser must subscribe again.
"""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from signoff.audit.keys import KeyInvalid, locked, read_key_file, write_key_file

VAPID_KEY = "vapid.key"
VALID_S = 12 * 3600  # at most 24 hours (RFC 8292 §2)


class Vapid:
    """Signs who sends.

    Args:
        contact: `mailto:` or `https:`, where a push service may reach whoever runs this server.
    """

    def __init__(self, private: ec.EllipticCurvePrivateKey, *, contact: str) -> None:
        self._private = private
        self._contact = contact

    @property
    def public(self) -> str:
        """Return the public key as a page hands it to the browser: an uncompressed point, base64url."""
        return b64url(point_of(self._private.public_key()))

    def authorization(self, endpoint: str, *, now_s: int) -> str:
        """Return the Authorization header for a push to an endpoint (RFC 8292 §3)."""
        parts = urlsplit(endpoint)
        head = {"typ": "JWT", "alg": "ES256"}
        claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": now_s + VALID_S, "sub": self._contact}
        signed = ".".join(b64url(orjson.dumps(one)) for one in (head, claims))
        r, s = decode_dss_signature(self._private.sign(signed.encode("ascii"), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"vapid t={signed}.{b64url(signature)}, k={self.public}"


def open_vapid(directory: Path, *, contact: str) -> Vapid:
    """Read the key, making it where it is missing; safe for processes that start at once.

    Raises:
        KeyExposed: It is open to others.
        KeyInvalid: The file holds no such key.
    """
    path = directory / VAPID_KEY
    with locked(directory):
        if not path.exists():
            write_key_file(path, _pem(ec.generate_private_key(ec.SECP256R1())))
        text = read_key_file(path)
    try:
        private = serialization.load_pem_private_key(text.encode("ascii"), password=None)
    except (ValueError, TypeError):
        raise KeyInvalid(path, "it is no private key in PEM") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise KeyInvalid(path, "it is no key of the curve P-256")
    return Vapid(private, contact=contact)


def _pem(private: ec.EllipticCurvePrivateKey) -> str:
    made = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.decode("ascii")


def point_of(public: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as an uncompressed point of 65 bytes."""
    return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def b64url(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_b64url(text: str) -> bytes:
    """Read base64url with or without padding.

    Raises:
        ValueError: It is none.
    """
    return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
