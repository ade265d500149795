"""Key files, and the guard that never signs two histories."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey

import signoff.audit
from signoff.audit.checkpoint import CheckpointInvalid, verify_note
from signoff.audit.keys import (
    CheckpointRefused,
    CheckpointSigner,
    KeyExposed,
    KeyInvalid,
    KeyMissing,
    Keys,
    create_keys,
    last_signed,
    load_keys,
    load_public,
)

ORIGIN = "example.com/log42"
ROOTS = [hashlib.sha256(bytes([number])).digest() for number in range(4)]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return create_keys(tmp_path / "keys", origin=ORIGIN)


def same(one: Keys, other: Keys) -> bool:
    return one.public() == other.public() and one.origin == other.origin


def test_keys_are_made_once_and_then_found(keys: Keys) -> None:
    assert same(keys, create_keys(keys.directory, origin="example.com/other"))
    assert same(keys, load_keys(keys.directory))
    assert keys.origin == ORIGIN


def test_two_logs_without_a_given_name_are_named_differently(tmp_path: Path) -> None:
    assert create_keys(tmp_path / "one").origin != create_keys(tmp_path / "two").origin


def test_private_files_are_the_owners_alone_and_public_ones_everybodys(keys: Keys) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.directory.iterdir()}
    assert modes == {
        "log.key": 0o600,
        "receipt.key": 0o600,
        "lock": 0o600,
        "log.pub": 0o644,
        "receipt.pub": 0o644,
    }
    assert stat.S_IMODE(keys.directory.stat().st_mode) == 0o700


def test_log_and_receipt_have_different_keys(keys: Keys) -> None:
    assert keys.log.private.private_bytes_raw() != keys.receipt.private.private_bytes_raw()


def test_no_private_key_shows_when_keys_are_printed(keys: Keys) -> None:
    shown = repr(keys)
    for private in (keys.log.private, keys.receipt.private):
        raw = private.private_bytes_raw()
        assert raw.hex() not in shown
        assert repr(raw) not in shown
        assert "PrivateKey" not in shown


@pytest.mark.parametrize("name", ["log.key", "receipt.key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_open_to_others_is_refused_with_the_command_that_helps(
    keys: Keys, name: str, mode: int
) -> None:
    path = keys.directory / name
    path.chmod(mode)

    with pytest.raises(KeyExposed, match=f"chmod 600 '{path}'") as caught:
        load_keys(keys.directory)
    assert (caught.value.code, caught.value.path, caught.value.mode) == ("forbidden", path, mode)


@pytest.mark.parametrize("name", ["log.key", "receipt.key"])
def test_a_missing_key_is_named(keys: Keys, name: str) -> None:
    (keys.directory / name).unlink()
    with pytest.raises(KeyMissing) as caught:
        load_keys(keys.directory)
    assert caught.value.path == keys.directory / name


@pytest.mark.parametrize("name", ["log.key", "receipt.key"])
@pytest.mark.parametrize("held", [b"", b"{}", b"nonsense\n", b"\xff\xfe", b'{"d":"AAAA"}'])
def test_a_damaged_key_is_refused_and_never_replaced(keys: Keys, name: str, held: bytes) -> None:
    path = keys.directory / name
    path.write_bytes(held)
    with pytest.raises(KeyInvalid):
        load_keys(keys.directory)
    with pytest.raises(KeyInvalid):
        create_keys(keys.directory)
    assert path.read_bytes() == held


def test_a_log_key_under_a_changed_name_is_refused(keys: Keys) -> None:
    path = keys.directory / "log.key"
    path.write_text(path.read_text(encoding="ascii").replace(ORIGIN, "example.com/log43"), encoding="ascii")
    with pytest.raises(KeyInvalid, match="its id"):
        load_keys(keys.directory)


def test_a_verifier_needs_the_public_files_only(keys: Keys) -> None:
    for private in keys.directory.glob("*.key"):
        private.unlink()
    assert load_public(keys.directory) == keys.public()


def test_public_files_keep_the_keys_of_before(keys: Keys) -> None:
    (keys.directory / "log.key").unlink()
    (keys.directory / "receipt.key").unlink()
    renewed = create_keys(keys.directory, origin=ORIGIN)

    public = load_public(keys.directory)
    assert public.log == (keys.log.verifier, renewed.log.verifier)
    assert public.receipts is not None
    assert public.receipts["keys"] == [keys.receipt.jwk, renewed.receipt.jwk]


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("log.pub", ""),
        ("log.pub", "nonsense\n"),
        ("receipt.pub", "{}"),
        ("receipt.pub", '{"keys":[]}'),
        ("receipt.pub", "["),
    ],
)
def test_damaged_public_files_are_refused(keys: Keys, name: str, held: str) -> None:
    (keys.directory / name).write_text(held, encoding="ascii")
    with pytest.raises(KeyInvalid):
        load_public(keys.directory)


def test_the_key_set_is_public_and_named_by_thumbprint(keys: Keys) -> None:
    (jwk,) = keys.jwks()["keys"]

    assert jwk["kid"] == OKPKey.import_key({**jwk}).thumbprint()
    assert (jwk["kty"], jwk["crv"], jwk["alg"], jwk["use"]) == ("OKP", "Ed25519", "Ed25519", "sig")
    assert "d" not in jwk
    assert json.loads((keys.directory / "receipt.pub").read_bytes()) == keys.jwks()


def test_a_name_that_no_note_can_carry_makes_no_keys(tmp_path: Path) -> None:
    with pytest.raises(CheckpointInvalid):
        create_keys(tmp_path / "keys", origin="two words")
    assert not (tmp_path / "keys").exists()


def test_a_growing_log_is_signed_and_remembered(keys: Keys) -> None:
    signer = CheckpointSigner(keys)
    assert signer.last() is None

    first, second = signer.sign(3, ROOTS[0]), signer.sign(5, ROOTS[1])

    assert verify_note(first, [keys.log.verifier]).size == 3
    assert CheckpointSigner(keys).last() == verify_note(second, [keys.log.verifier])
    assert last_signed(keys.directory) == second
    assert signer.sign(5, ROOTS[1]) == second


@pytest.mark.parametrize(("size", "root"), [(4, ROOTS[1]), (4, ROOTS[0]), (5, ROOTS[0]), (0, ROOTS[1])])
def test_a_smaller_log_or_another_root_is_never_signed(keys: Keys, size: int, root: bytes) -> None:
    CheckpointSigner(keys).sign(5, ROOTS[1])

    with pytest.raises(CheckpointRefused) as caught:
        CheckpointSigner(keys).sign(size, root)
    refused = caught.value
    assert refused.code == "conflict"
    assert (refused.size, refused.root, refused.last_size, refused.last_root) == (size, root, 5, ROOTS[1])


def test_nothing_is_signed_once_the_memory_of_it_is_damaged(keys: Keys) -> None:
    signer = CheckpointSigner(keys)
    signer.sign(5, ROOTS[1])
    path = keys.directory / "log.signed"
    path.write_text(path.read_text(encoding="utf-8").replace("\n5\n", "\n4\n"), encoding="utf-8")

    with pytest.raises(KeyInvalid):
        signer.sign(6, ROOTS[2])


def test_a_signature_is_released_only_after_it_is_remembered(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = CheckpointSigner(keys)
    signer.sign(5, ROOTS[1])
    synced: list[int] = []

    def full_disk(handle: int) -> None:
        synced.append(handle)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_disk)
        with pytest.raises(OSError, match="No space"):
            signer.sign(6, ROOTS[2])

    assert len(synced) == 1
    last = signer.last()
    assert last is not None
    assert last.size == 5
    assert not list(keys.directory.glob("*.part"))
    assert verify_note(signer.sign(6, ROOTS[3]), [keys.log.verifier]).root == ROOTS[3]


def test_threads_that_sign_at_once_state_one_history(keys: Keys) -> None:
    signed: dict[int, str] = {}
    barrier = threading.Barrier(len(ROOTS))

    def race(number: int) -> None:
        barrier.wait(5)
        with contextlib.suppress(CheckpointRefused):
            signed[number] = CheckpointSigner(keys).sign(7, ROOTS[number])

    racers = [threading.Thread(target=race, args=(number,)) for number in range(len(ROOTS))]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(10)

    assert len(signed) == 1


RACER = """
import sys
from pathlib import Path
from signoff.audit.keys import CheckpointRefused, CheckpointSigner, create_keys
directory, number = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
keys = create_keys(directory)
signer = CheckpointSigner(keys)
signed = []
for size in range(1, 41):
    try:
        signer.sign(size, bytes([number]) * 32)
        signed.append(size)
    except CheckpointRefused:
        pass
print(keys.origin, keys.log.verifier.text, keys.receipt.kid, ",".join(map(str, signed)))
"""


def test_two_processes_on_one_new_home_get_one_key_and_sign_one_history(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(signoff.audit.__file__).parents[2])}
    racers = [
        subprocess.Popen(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-c", RACER, str(tmp_path / "keys"), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        for number in (1, 2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    told = [racer.communicate(timeout=30)[0].split() for racer in racers]

    assert [racer.returncode for racer in racers] == [0, 0]
    assert told[0][:3] == told[1][:3], "both got the same keys"
    sizes = [set(one[3].split(",")) if len(one) > 3 else set() for one in told]
    assert not sizes[0] & sizes[1], "no size was signed with two roots"
    assert "40" in sizes[0] | sizes[1]
