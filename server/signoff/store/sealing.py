"""Addresses as they lie in the database: sealed under a key that lies outside it.

    keys/address.key        one key a line, `<id>+<base64 of 64 bytes>`, 0600: the first seals, all of them open
    sealed:5f0c2a91:v3Jr…   what stands in a column: the id of the key, and base64url of the sealed address

Sealed with AES-SIV (RFC 5297), bound to the person, and with no nonce: the same address of the same person is the
same text, so that a row can be found by it. `terminal:` names nobody and stays as it is.
"""

from __future__ import annotations

import base64
import logging
import re
import secrets
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from signoff.audit.keys import KeyInvalid, KeyMissing, locked, read_key_file, write_key_file
from signoff.domain.address import SEALED, kind_of
from signoff.domain.alert import TERMINAL
from signoff.domain.errors import SignoffError, StoreUnavailable

log = logging.getLogger("signoff")

ADDRESS_KEY = "address.key"
KEY_BITS = 512  # AES-256 twice: one key for the synthetic IV, one to encrypt (RFC 5297 §2.2)
_LINE = re.compile(r"([0-9a-f]{8})\+([A-Za-z0-9+/]{86}==)")
_COLUMNS = (("person_address", "url"), ("alert", "address"), ("link", "address"))
"""Every column that holds an address; each table has a `person_id` beside it."""


class Sealing:
    """Seals addresses and opens them again; a key that another process added is taken up at once."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, AESSIV] = {}

    @property
    def key_id(self) -> str:
        """Return the id of the key that seals, nothing where there is none."""
        return next(iter(self._current()), "")

    def seal(self, url: str, person_id: str) -> str:
        """Return an address as it may lie in the database.

        Raises:
            StoreUnavailable: There is no key; nothing is stored in the open instead.
            KeyMissing: The file of the keys is gone.
            KeyExposed: It is open to others.
            KeyInvalid: It does not hold keys.
        """
        if url == TERMINAL or url.startswith(SEALED):
            return url
        keys = self._current()
        if not keys:
            raise StoreUnavailable("There is no key to seal addresses with, so none was stored.")
        key_id, key = next(iter(keys.items()))
        made = key.encrypt(url.encode("utf-8"), _bound_to(person_id))
        return f"{SEALED}{key_id}:{base64.urlsafe_b64encode(made).decode('ascii')}"

    def open(self, text: str, person_id: str) -> str:
        """Return an address in the open.

        One whose key is not here, or that was tampered with, stays sealed: no channel takes it, so what should go
        there fails visibly and the next tier is told.
        """
        if not text.startswith(SEALED):
            return text
        key_id, _, made = text.removeprefix(SEALED).partition(":")
        try:
            key = self._keys.get(key_id) or self._current().get(key_id)
        except SignoffError:
            return text
        if key is None:
            return text
        try:
            return key.decrypt(base64.urlsafe_b64decode(made), _bound_to(person_id)).decode("utf-8")
        except (InvalidTag, ValueError):
            return text

    def _current(self) -> dict[str, AESSIV]:
        """Return the keys with their ids, the one that seals first."""
        if self._path is None:
            return {}
        try:
            state = self._path.stat()
        except FileNotFoundError:
            raise KeyMissing(self._path) from None
        if self._seen != (state.st_mtime_ns, state.st_ino):
            self._keys = read_address_keys(self._path)
            self._seen = (state.st_mtime_ns, state.st_ino)
        return self._keys


NO_KEY = Sealing()
"""For those who only read, and for stores whose people have no address but the terminal's."""


def _bound_to(person_id: str) -> list[bytes]:
    return [b"signoff/address/v1", person_id.encode("utf-8")]


def open_sealing(directory: Path) -> Sealing:
    """Return what seals addresses, making its key where it is missing.

    Raises:
        KeyExposed: The file is open to others.
        KeyInvalid: It does not hold keys.
    """
    path = directory / ADDRESS_KEY
    with locked(directory):
        if not path.exists():
            write_key_file(path, _new_line())
    read_address_keys(path)
    return Sealing(path)


def read_address_keys(path: Path) -> dict[str, AESSIV]:
    """Read a file of keys, by id and in their order.

    Raises:
        KeyMissing: It is not there.
        KeyExposed: It is open to others.
        KeyInvalid: It does not hold keys.
    """
    lines = read_key_file(path).splitlines()
    found = [one for one in map(_LINE.fullmatch, lines) if one is not None]
    keys = {one[1]: AESSIV(base64.b64decode(one[2])) for one in found}
    if not keys or len(keys) < len(lines):
        raise KeyInvalid(path, "its lines are not keys of addresses, each with an id of its own")
    return keys


def add_address_key(directory: Path) -> str:
    """Put a new key first, keep the one before it, and return the new one's id.

    What the others sealed is sealed anew by `settle_addresses`, before any key is added again. Until then, and for
    processes that seal at this moment, the one before still opens.

    Raises:
        KeyMissing: There is no key yet.
        KeyExposed: The file is open to others.
        KeyInvalid: It does not hold keys.
    """
    path = directory / ADDRESS_KEY
    with locked(directory):
        read_address_keys(path)
        line = _new_line()
        write_key_file(path, line + read_key_file(path).splitlines()[0] + "\n")
    return line.partition("+")[0]


def _new_line() -> str:
    made = base64.b64encode(AESSIV.generate_key(KEY_BITS)).decode("ascii")
    return f"{secrets.token_hex(4)}+{made}\n"


def settle_addresses(connection: Any, sealing: Sealing) -> None:
    """Seal what lies open or under an older key, and bring what lay there before out of the database's files.

    Safe to kill at any point and to repeat: the sealing is one transaction, which also says that the files are yet to
    be cleaned; that is said to be done only once it is.

    Args:
        connection: A DB-API connection in autocommit mode with `secure_delete` on.
    """
    if not sealing.key_id or _settled(connection) == (sealing.key_id, 1):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        erased = _seal_all(connection, sealing) == 0 and (_settled(connection) or ("", 1))[1] == 1
        connection.execute(
            "INSERT INTO address_sealing (id, key_id, erased) VALUES (1, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET key_id = excluded.key_id, erased = excluded.erased",
            (sealing.key_id, int(erased)),
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if not erased and _scrubbed(connection):
        connection.execute("UPDATE address_sealing SET erased = 1 WHERE key_id = ?", (sealing.key_id,))


def _settled(connection: Any) -> tuple[str, int] | None:
    row = connection.execute("SELECT key_id, erased FROM address_sealing").fetchone()
    return None if row is None else (row[0], row[1])


def _seal_all(connection: Any, sealing: Sealing) -> int:
    """Seal every address under the newest key, and return how many were not."""
    changed, unknown = 0, 0
    for table, column in _COLUMNS:
        rows = connection.execute(f"SELECT id, person_id, {column} FROM {table}").fetchall()  # noqa: S608 -- ours
        for row_id, person_id, held in rows:
            url = sealing.open(held, person_id)
            unknown += url.startswith(SEALED)
            sealed = sealing.seal(url, person_id)
            if sealed != held:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (sealed, row_id))  # noqa: S608 -- ours
                changed += 1
    for row_id, person_id, held in connection.execute(
        "SELECT id, person_id, url FROM person_address WHERE label = ''"
    ).fetchall():
        label = kind_of(sealing.open(held, person_id))
        connection.execute("UPDATE person_address SET label = ? WHERE id = ?", (label, row_id))
    if unknown:
        log.warning(
            "%d addresses cannot be opened: their key is not in %s. Restore it from a backup, or set the addresses"
            " again with `signoff people address`. What should go there fails until then.",
            unknown,
            ADDRESS_KEY,
        )
    return changed


def _scrubbed(connection: Any) -> bool:
    """Write the database anew and empty its write-ahead log; False where others are in the way."""
    try:
        # secure_delete leaves remains in pages that were split, so the file is written anew.
        connection.execute("VACUUM")
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except Exception as error:  # noqa: BLE001 -- of two drivers; what was sealed stays sealed, and this is done again
        log.warning(
            "Addresses that lay open are still in the database's files; it is tried again: %s.", error
        )
        return False
    if busy:
        log.warning(
            "Addresses that lay open are still in the database's write-ahead log: another process reads it."
            " It is tried again at the next start."
        )
    return not busy
