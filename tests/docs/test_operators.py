"""The walk-through for operators and its pictures name the same, and each picture is one that a walk takes."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
WALKS = (ROOT / "tests" / "browser" / "test_walkthrough.py").read_text(encoding="utf-8")
PICTURES = sorted((ROOT / "docs" / "operators").glob("*.png"))


def test_every_picture_of_the_page_is_there_and_taken_by_a_walk() -> None:
    shown = re.findall(r'src="operators/([a-z-]+)\.png"', PAGE)
    taken = re.findall(r'walk\.shoot\(.*"([a-z-]+)"\)', WALKS)

    assert sorted(shown) == sorted(taken) == sorted(one.stem for one in PICTURES)


def test_every_picture_says_in_words_what_it_shows() -> None:
    for tag in re.findall(r"<img [^>]*>", PAGE):
        words = re.search(r'alt="([^"]{20,})"', tag)
        assert words is not None, tag


@pytest.mark.parametrize("picture", PICTURES, ids=lambda one: one.stem)
def test_a_picture_is_a_screen_of_a_phone_or_a_desk_and_small(picture: Path) -> None:
    data = picture.read_bytes()

    assert struct.unpack(">II", data[16:24]) in ((390, 844), (1280, 800))
    assert len(data) < 150_000
