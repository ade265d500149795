"""Text can be read on every background it stands on, in light and in dark (WCAG 2.2 AA)."""

from __future__ import annotations

import re
from importlib import resources

import pytest

TEXT = [
    ("ink", "ground"), ("ink", "surface"), ("ink", "sunken"), ("ink", "material"), ("ink", "old"), ("ink", "new"),
    ("ink", "accent-soft"), ("ink-soft", "ground"), ("ink-soft", "surface"), ("ink-soft", "sunken"),
    ("ink-soft", "material"), ("ink-soft", "old"), ("ink-soft", "new"), ("accent", "surface"), ("accent", "ground"),
    ("accent", "accent-soft"), ("accent", "material"), ("approve-ink", "approve-soft"),
    ("reject-ink", "reject-soft"), ("reject-ink", "surface"), ("reject-ink", "material"), ("warn-ink", "warn-soft"),
    ("material-ink", "material"), ("material-ink", "surface"), ("mark-ink", "mark"), ("on-strong", "approve"),
    ("on-strong", "reject"), ("surface", "accent"),
]  # fmt: skip
EDGES = [("line-strong", "surface"), ("material-line", "material"), ("focus", "surface"), ("focus", "ground")]


def schemes() -> dict[str, dict[str, str]]:
    text = (resources.files("signoff.operators") / "static" / "tokens.css").read_text(encoding="utf-8")
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    found = {
        name: dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part))
        for name, part in {"light": light, "dark": dark}.items()
    }
    return {"light": found["light"], "dark": found["light"] | found["dark"]}


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT)
def test_text_stands_out_from_its_background(scheme: str, front: str, back: str) -> None:
    colours = schemes()[scheme]

    assert contrast(colours[front], colours[back]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), EDGES)
def test_the_edge_of_a_control_can_be_seen(scheme: str, front: str, back: str) -> None:
    colours = schemes()[scheme]

    assert contrast(colours[front], colours[back]) >= 3
