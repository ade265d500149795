"""Checkpoints and signed notes, against vectors and code that others made."""

from __future__ import annotations

import base64
import hashlib

import metamorphic_log  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from signoff.audit.checkpoint import (
    Checkpoint,
    CheckpointInvalid,
    SigningKey,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
    sign,
    verify_note,
)

ORIGIN = "example.com/log42"
ROOT = hashlib.sha256(b"a root").digest()
KEY = SigningKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
SIGNED = sign(Checkpoint(ORIGIN, 923748, ROOT), KEY)

# The example of golang.org/x/mod/sumdb/note, where the format comes from.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_signed_checkpoint_is_the_text_worked_out_by_hand() -> None:
    public = KEY.private.public_key().public_bytes_raw()
    key_id = hashlib.sha256(ORIGIN.encode() + b"\x0a\x01" + public).digest()[:4]
    body = f"{ORIGIN}\n923748\n{base64.b64encode(ROOT).decode()}\n"
    signature = KEY.private.sign(body.encode())

    assert f"{body}\n— {ORIGIN} {base64.b64encode(key_id + signature).decode()}\n" == SIGNED
    typed = base64.b64encode(b"\x01" + public).decode()
    assert f"{ORIGIN}+{key_id.hex()}+{typed}" == KEY.verifier.text


def test_metamorphic_reads_and_verifies_what_signoff_signs() -> None:
    head = metamorphic_log.checkpoint_verify(SIGNED, [KEY.verifier.text])

    assert (head.origin, head.size, head.root, head.extensions) == (ORIGIN, 923748, ROOT, [])
    assert metamorphic_log.verify_signed_note(SIGNED, [KEY.verifier.text]) == 1


def test_the_go_example_has_the_key_id_and_signature_that_signoff_expects() -> None:
    key, note = parse_verifier_key(GO_KEY), parse_note(GO_NOTE)

    assert key.text == GO_KEY
    (signature,) = note.signatures
    assert (signature.name, signature.key_id) == (key.name, key.key_id)
    Ed25519PublicKey.from_public_bytes(key.public).verify(signature.signature, note.text.encode())


def test_a_checkpoint_comes_back_from_its_note() -> None:
    assert verify_note(SIGNED, [KEY.verifier]) == Checkpoint(ORIGIN, 923748, ROOT)
    assert parse_verifier_key(KEY.verifier.text) == KEY.verifier


def test_the_empty_log_has_a_checkpoint_too() -> None:
    empty = Checkpoint(ORIGIN, 0, hashlib.sha256(b"").digest())
    assert verify_note(sign(empty, KEY), [KEY.verifier]) == empty


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    witness = "— witness.example/w1 " + base64.b64encode(bytes(76)).decode() + "\n"

    assert verify_note(SIGNED + witness, [KEY.verifier]).size == 923748
    assert metamorphic_log.checkpoint_verify(SIGNED + witness, [KEY.verifier.text]).size == 923748


def test_a_checkpoint_of_another_key_under_the_same_name_is_refused() -> None:
    other = SigningKey(ORIGIN, Ed25519PrivateKey.generate())
    with pytest.raises(CheckpointInvalid, match="none of the given keys"):
        verify_note(sign(Checkpoint(ORIGIN, 923748, ROOT), other), [KEY.verifier])


def test_a_key_named_otherwise_signs_no_checkpoint_of_this_log() -> None:
    with pytest.raises(CheckpointInvalid, match="only its own"):
        sign(Checkpoint("example.com/other", 1, ROOT), KEY)
    stranger = VerifierKey("example.com/stranger", KEY.verifier.public)
    raw = stranger.key_id + KEY.private.sign(SIGNED.split("\n\n")[0].encode() + b"\n")
    note = SIGNED.split("\n\n")[0] + f"\n\n— {stranger.name} {base64.b64encode(raw).decode()}\n"
    with pytest.raises(CheckpointInvalid, match="none of the given keys"):
        verify_note(note, [stranger])


@pytest.mark.parametrize(
    "changed",
    [
        SIGNED.replace("923748", "923749"),
        SIGNED.replace("923748", "0923748"),
        SIGNED.replace("923748", "+923748"),
        SIGNED.replace("923748", "٩23748"),
        SIGNED.replace("923748", "9" * 20),
        SIGNED.replace("\n\n", "\nan extension\n\n"),
        SIGNED.replace("\n", "\r\n"),
        SIGNED.replace("—", "-"),
        SIGNED.replace("\n\n", "\n"),
        SIGNED[:-1],
        SIGNED + "\n",
        SIGNED + " ",
        SIGNED.replace("example.com", "example .com"),
        SIGNED.replace("example.com", ""),
        SIGNED.replace(base64.b64encode(ROOT).decode(), base64.b64encode(ROOT[:-1]).decode()),
        SIGNED.replace(base64.b64encode(ROOT).decode(), base64.b64encode(ROOT).decode()[:-1]),
        SIGNED[:-6] + "AAA=\n",
        "",
        "\n\n",
        "\x00" + SIGNED,
        SIGNED * 2000,
    ],
)
def test_any_other_text_is_refused(changed: str) -> None:
    with pytest.raises(CheckpointInvalid) as caught:
        verify_note(changed, [KEY.verifier])
    assert caught.value.code == "invalid_request"


def test_base64_with_stray_bits_is_refused() -> None:
    # 32 bytes leave two unused bits in the last letter; only zeros there are the one encoding.
    line = base64.b64encode(ROOT).decode()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stray = line[:-2] + letters[letters.index(line[-2]) + 1] + "="
    assert base64.b64decode(stray) == ROOT
    with pytest.raises(CheckpointInvalid):
        parse_checkpoint(f"{ORIGIN}\n1\n{stray}\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+AAAA",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("+AR", "+AQ"),
        GO_KEY + "\n",
    ],
)
def test_a_mistyped_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(CheckpointInvalid):
        parse_verifier_key(text)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nbreak", "x" * 256, "no\u00a0space"])
def test_a_name_that_a_note_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(CheckpointInvalid):
        SigningKey(name, Ed25519PrivateKey.generate())
