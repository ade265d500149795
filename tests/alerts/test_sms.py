"""One SMS holds what it must, in the alphabet that 160 letters fit into."""

from __future__ import annotations

import pytest

from signoff.alerts.sms import MAX_SHORT, as_gsm, fitted, is_gsm, room_of

LINK = "https://signoff.example.com/d/lnk_01k9zr6m2t8vq4x7c3b5n1w0ye#" + "x" * 43


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Überweisung für Zoë", "Überweisung für Zoe"),
        ("Łódź", "?odz"),
        ("\u201cquoted\u201d \u2014 it\u2019s\u2026", '"quoted" - it\'s...'),
        ("pay⟦U+202E⟧yap", "pay(U+202E)yap"),
        ("支付 refund", "?? refund"),
        ("list[0] {x}", "list(0) (x)"),
        ("evil\u2024example", "evil. example"),
        ("a\n b\t\tc", "a b c"),
        ("🙂", "?"),
    ],
)
def test_letters_outside_of_the_alphabet_are_written_with_letters_in_it(text: str, written: str) -> None:
    assert as_gsm(text) == written
    assert is_gsm(as_gsm(text))


@pytest.mark.parametrize("words", ["", "short", "x" * 55, "x" * 500, "€" * 60, "|~^" * 40, "支" * 200])
def test_words_and_link_fit_one_sms_and_the_link_stays_whole(words: str) -> None:
    made = fitted(words, LINK)

    assert made.endswith(LINK)
    assert room_of(made) <= MAX_SHORT


def test_a_link_longer_than_an_sms_is_sent_whole_and_alone() -> None:
    link = f"https://{'a' * 60}.{'b' * 60}.example/d/lnk_01k9zr6m2t8vq4x7c3b5n1w0ye#{'x' * 43}"

    assert fitted("signoff high: wire_transfer", link) == link


def test_letters_that_take_two_places_are_counted_so() -> None:
    assert room_of("a€b") == 4
