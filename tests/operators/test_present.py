"""How values are shown: whole, as text, with what is hidden in them made visible."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.domain.characters import count_marked, pieces
from signoff.operators.diff import changes
from signoff.operators.present import MAX_HIGHLIGHTS, MAX_ROWS, opaque, rows, shown, span


def seen(text: str) -> str:
    return "".join(piece.text for piece in pieces(text))


@pytest.mark.parametrize(
    ("text", "shows"),
    [
        ("plain text\n\twith lines", "plain text\n\twith lines"),
        ("pay \u202e001 RUE", "pay ⟦U+202E⟧001 RUE"),
        ("zero\u200bwidth", "zero⟦U+200B⟧width"),
        ("byte\ufefforder", "byte⟦U+FEFF⟧order"),
        ("tag\U000e0041", "tag⟦U+E0041⟧"),
        ("bell\x07", "bell⟦U+0007⟧"),
        ("carriage\rreturn", "carriage⟦U+000D⟧return"),
        ("no\u00a0break", "no⟦U+00A0⟧break"),
        ("line\u2028separator", "line⟦U+2028⟧separator"),
        ("hangul\u3164filler", "hangul⟦U+3164⟧filler"),
        ("braille\u2800blank", "braille⟦U+2800⟧blank"),
        ("a\ufe01b", "a⟦U+FE01⟧b"),
        ("p\u0430ypal", "p⟦\u0430 U+0430⟧ypal"),
        ("pay \u0430\u0441\u0435 now", "pay ⟦\u0430 U+0430⟧⟦\u0441 U+0441⟧⟦\u0435 U+0435⟧ now"),
        ("\U0001d429ay", "⟦\U0001d429 U+1D429⟧ay"),
        ("\uff50ay", "⟦\uff50 U+FF50⟧ay"),
        ("Привет, мир", "Привет, мир"),
        ("Москва and Paris", "Москва and Paris"),
        ("Αθήνα", "Αθήνα"),
        ("Zürich, Đà Nẵng, 東京", "Zürich, Đà Nẵng, 東京"),
        ("fine \u26a0\ufe0f \U0001f469\u200d\U0001f4bb", "fine \u26a0\ufe0f \U0001f469\u200d\U0001f4bb"),
        ("z" + "\u0300" * 5, "z\u0300\u0300\u0300⟦U+0300⟧⟦U+0300⟧"),
    ],
)
def test_a_reader_sees_every_character_that_matters(text: str, shows: str) -> None:
    assert seen(text) == shows


@given(st.text())
def test_nothing_of_a_text_is_lost_or_reordered(text: str) -> None:
    position = 0
    for piece in pieces(text):
        if piece.mark:
            assert f"U+{ord(text[position]):04X}" in piece.text
            position += 1
        else:
            assert text.startswith(piece.text, position)
            position += len(piece.text)
    assert position == len(text)


@pytest.mark.parametrize("piece", ["\u200d", "\U0001f469\u200d", "\ufe0f\u200d", "z\u0300", "p\u0430y "])
def test_no_text_takes_long_to_show(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    began = time.process_time()
    pieces(text)
    assert time.process_time() - began < 4  # quadratic would be a minute


def test_spaces_at_the_edges_of_an_argument_are_visible() -> None:
    value = shown("  IBAN ", edges=True)

    assert "".join(piece.text for piece in value.whole) == "⟦space x 2⟧IBAN⟦space x 1⟧"
    assert count_marked(shown("   ", edges=True).whole) == 1


def test_a_long_text_shows_both_ends_and_its_length() -> None:
    value = shown("begin " + "x" * 5000 + " end")

    assert value.folded
    assert value.chars == 5010
    assert value.head[0].text.startswith("begin ")
    assert value.tail[-1].text.endswith(" end")
    assert "".join(piece.text for piece in value.whole) == "begin " + "x" * 5000 + " end"


def test_a_text_of_nothing_but_hidden_characters_shows_them_all_in_one_piece() -> None:
    value = shown("\u202e" * (MAX_HIGHLIGHTS + 1))

    assert value.marked == MAX_HIGHLIGHTS + 1
    assert [piece.text for piece in value.whole] == ["⟦U+202E⟧" * (MAX_HIGHLIGHTS + 1)]
    assert len(shown("x\u202e" * MAX_HIGHLIGHTS).whole) == 2 * MAX_HIGHLIGHTS


def test_a_text_of_many_lines_is_folded_too() -> None:
    assert shown("a\n" * 20).folded
    assert not shown("a\n" * 5).folded


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("DROP TABLE users", "sql"),
        ("select * from users where id = 1", "sql"),
        ("#!/bin/sh\necho hi", "shell"),
        ("cd /tmp && rm -rf build", "shell"),
        ("curl https://x.example | sh", "shell"),
        ("bash -c 'id'", "shell"),
        ("TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24s", "base64"),
        ("Please update the address and set a reminder", ""),
        ("Refund the customer; they were charged twice.", ""),
        ("3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed7e6dc881", ""),
        ("", ""),
    ],
)
def test_what_reading_does_not_explain_is_called_not_inspected(text: str, kind: str) -> None:
    assert opaque(text) == kind


def test_every_value_of_a_tree_has_its_row() -> None:
    made = rows({"a": 1, "b": [True, None, {"c": "x"}], "d": {}})

    assert made is not None
    assert [(row.path, row.depth, row.kind) for row in made] == [
        ("a", 0, "number"),
        ("b", 0, "list"),
        ("b[0]", 1, "yes_no"),
        ("b[1]", 1, "nothing"),
        ("b[2]", 1, "fields"),
        ("b[2].c", 2, "text"),
        ("d", 0, "fields"),
    ]


def test_a_tree_beyond_the_limit_is_left_to_its_json_text() -> None:
    assert rows({str(n): n for n in range(MAX_ROWS)}) is not None
    assert rows({str(n): n for n in range(MAX_ROWS + 1)}) is None


def test_a_tree_of_any_depth_is_walked() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]

    made = rows({"deep": deep})

    assert made is not None
    assert made[-1].depth == 300


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", "changed")]),
        ({"a": 1}, {"a": True}, [("a", "changed")]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {}, [("a", "removed")]),
        ({}, {"a": None}, [("a", "added")]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3, 4]}}, [("a.b[1]", "changed"), ("a.b[2]", "added")]),
        ({"a": [1, 2]}, {"a": [1]}, [("a[1]", "removed")]),
        ({"a": [1]}, {"a": {"0": 1}}, [("a", "changed")]),
        ({"a.b": 1, "a": {"b": 1}}, {"a.b": 2, "a": {"b": 1}}, [('["a.b"]', "changed")]),
        ({"x": {"a[0]": 1}}, {"x": {"a[0]": 1, "": 2}}, [('x[""]', "added")]),
    ],
)
def test_a_difference_names_each_place(old: Any, new: Any, told: list[tuple[str, str]]) -> None:
    assert [(one.path, one.kind) for one in changes(old, new)] == told


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (-5, "0 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3600, "1 h"),
     (3660, "1 h 1 min"), (3605, "1 h"), (90000, "1 d 1 h")],
)  # fmt: skip
def test_a_length_of_time_reads_in_two_units(seconds: int, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words
