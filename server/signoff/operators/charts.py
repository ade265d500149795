"""Charts as server-side SVG: where each mark of a chart lies. Words and drawing are in `templates/charts.html`.

Widths are percentages and heights are pixels, so that a chart fits a phone, a screen and paper while its letters keep
their size. What a chart shows is one table (`Chart`), which its page prints beside it and its CSV file holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Cell = str | int | float | None
Kind = Literal["spans", "hours", "shares", "list"]
MOST_ROWS = 20
"""Rows that a chart, its table and its file show; more could not be told apart."""
LABEL_CHARS = 42
"""What of a name fits above a bar on a phone."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What a chart shows, its table and its file: the same values in the same order."""

    id: str
    """Names its words in `templates/stats_words.html`, and its file."""
    kind: Kind
    columns: tuple[str, ...]
    """Names of the columns' words."""
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0
    """Rows beyond `MOST_ROWS`."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One rectangle: place and size in percent or pixels, and which column it stands for."""

    x: str
    y: float
    width: str
    height: float
    column: str
    value: Cell


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a chart of horizontal bars."""

    label: str
    y: float
    row: tuple[Cell, ...]
    marks: tuple[Mark, ...]


ROW_PX = 46
BAR_TOP_PX = 22
BAR_PX = 14
HOURS_PX = 160


def first_rows(rows: Sequence[tuple[Cell, ...]]) -> tuple[tuple[tuple[Cell, ...], ...], int]:
    """Return the rows that a chart shows, and how many it leaves out."""
    return tuple(rows[:MOST_ROWS]), max(0, len(rows) - MOST_ROWS)


def bars(chart: Chart) -> list[Bar]:
    """Return the bars of a chart of spans or shares, in the order of its rows."""
    place = _spans if chart.kind == "spans" else _shares
    longest = max((_number(row[-1]) for row in chart.rows), default=0.0)
    made = []
    for number, row in enumerate(chart.rows):
        y = number * ROW_PX
        marks = place(chart, row, y + BAR_TOP_PX, longest)
        made.append(Bar(shortened(str(row[0])), y, row, marks))
    return made


def _spans(chart: Chart, row: tuple[Cell, ...], y: float, longest: float) -> tuple[Mark, ...]:
    """Draw the last two columns from zero, the longer one behind."""
    names, values = chart.columns[-2:], row[-2:]
    return tuple(
        Mark("0%", y, _percent(_number(value), longest), BAR_PX, name, value)
        for name, value in sorted(zip(names, values, strict=True), key=lambda one: -_number(one[1]))
    )


def _shares(chart: Chart, row: tuple[Cell, ...], y: float, longest: float) -> tuple[Mark, ...]:
    """Draw every column but the first side by side, as shares of their sum."""
    del longest
    total = sum(map(_number, row[1:]))
    before, made = 0.0, []
    for name, value in zip(chart.columns[1:], row[1:], strict=True):
        if value:
            made.append(
                Mark(_percent(before, total), y, _percent(_number(value), total), BAR_PX, name, value)
            )
        before += _number(value)
    return tuple(made)


def hour_marks(chart: Chart) -> list[Mark]:
    """Return two columns for each hour of the day."""
    most = max((max(_number(row[1]), _number(row[2])) for row in chart.rows), default=0.0)
    made = []
    for row in chart.rows:
        for place, (name, value) in enumerate(zip(chart.columns[1:], row[1:], strict=True)):
            height = _number(value) / most * HOURS_PX if most else 0.0
            x = _number(row[0]) / 24 * 100 + 0.35 + place * 1.75
            made.append(Mark(f"{x:.2f}%", round(HOURS_PX - height, 1), "1.6%", round(height, 1), name, value))
    return made


def shortened(name: str) -> str:
    """Return a name as it fits above a bar."""
    return name if len(name) <= LABEL_CHARS else name[: LABEL_CHARS - 1] + "…"


def _number(value: Cell) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _percent(value: float, whole: float) -> str:
    return f"{value / whole * 100:.2f}%" if whole else "0%"
