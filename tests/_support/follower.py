"""A client that follows a tiled log, written from the specifications alone: it shares no code with the product.

c2sp.org/tlog-tiles, c2sp.org/tlog-checkpoint, c2sp.org/signed-note, RFC 6962 §2.1.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Fetch = Callable[[str], Awaitable[tuple[int, Mapping[str, str], bytes]]]
"""Fetches a path below the log's URL: status, headers, body as it came."""


def hash_leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def tree_hash(hashes: list[bytes]) -> bytes:
    """MTH over leaf hashes, as RFC 6962 §2.1 defines it."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + tree_hash(hashes[:split]) + tree_hash(hashes[split:])).digest()


def tile_url(level: int | str, index: int, width: int = 256) -> str:
    """The path of a tile; written with arithmetic where the product uses text."""
    last, rest = index % 1000, index // 1000
    path = f"{last:03d}"
    while rest:
        path = f"x{rest % 1000:03d}/{path}"
        rest //= 1000
    return f"tile/{level}/{path}" + ("" if width == 256 else f".p/{width}")


def tiles_of(size: int) -> list[tuple[int, int, int]]:
    """Level, index and width of every tile of a tree, as the specification counts them."""
    made, level = [], 0
    while size >> (8 * level):
        full, partial = divmod(size >> (8 * level), 256)
        made += [(level, index, 256) for index in range(full)]
        if partial:
            made.append((level, full, partial))
        level += 1
    return made


@dataclass
class Follower:
    """Somebody who knows the log's public key and nothing else, and believes nothing that it does not check."""

    fetch: Fetch
    key: str
    """`name+id+base64(0x01 || public key)`."""
    leaves: list[bytes] = field(default_factory=list)
    """Leaf hashes under the newest checkpoint."""
    entries: list[bytes] = field(default_factory=list)
    size: int = 0
    root: bytes = hashlib.sha256(b"").digest()

    async def get(self, path: str, *, kind: str) -> bytes:
        status, headers, body = await self.fetch(path)
        assert status == 200, (path, status)
        assert headers["content-type"] == kind, (path, headers["content-type"])
        return gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body

    async def checkpoint(self) -> tuple[int, bytes]:
        """Fetch the signed tree head and check its signature."""
        text = (await self.get("checkpoint", kind="text/plain; charset=utf-8")).decode()
        name, _, body = self.key.split("+", 2)
        public = base64.b64decode(body)
        assert public[:1] == b"\x01"
        key_id = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
        signed, _, lines = text.rpartition("\n\n")
        signed += "\n"
        for line in lines.splitlines():
            dash, signer, signature = line.split(" ")
            raw = base64.b64decode(signature)
            if (dash, signer, raw[:4]) == ("—", name, key_id):
                Ed25519PublicKey.from_public_bytes(public[1:]).verify(raw[4:], signed.encode())
                break
        else:
            raise AssertionError("not signed by the log's key")
        origin, size, root = signed.splitlines()
        assert origin == name
        return int(size), base64.b64decode(root)

    async def follow(self, *, with_entries: bool) -> int:
        """Fetch the newest checkpoint and all that is new under it; check that the log has only grown."""
        size, root = await self.checkpoint()
        assert size >= self.size
        leaves = []
        for level, index, width in tiles_of(size):
            tile = await self.get(tile_url(level, index, width), kind="application/octet-stream")
            assert len(tile) == 32 * width
            hashes = [tile[at : at + 32] for at in range(0, len(tile), 32)]
            if level == 0:
                leaves += hashes
                if with_entries:
                    await self._check_entries(index, width, hashes)
            else:
                reach = 256**level
                for number, made in enumerate(hashes, index * 256):
                    assert made == tree_hash(leaves[number * reach : (number + 1) * reach])
        assert len(leaves) == size
        assert tree_hash(leaves) == root
        assert tree_hash(leaves[: self.size]) == self.root, "the log was rewritten"
        self.leaves, self.size, self.root = leaves, size, root
        return size

    async def _check_entries(self, index: int, width: int, hashes: list[bytes]) -> None:
        bundle = await self.get(tile_url("entries", index, width), kind="application/octet-stream")
        found = []
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            assert len(bundle) >= 2 + length
            found.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
        assert [hash_leaf(entry) for entry in found] == hashes
        self.entries[index * 256 :] = found
