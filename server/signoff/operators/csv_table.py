"""A table as a CSV file (RFC 4180) that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import Response

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would compute (OWASP, CSV injection)."""


def csv_text(head: Sequence[str], rows: Iterable[Sequence[str | int | float | None]]) -> str:
    """Return a table as CSV with its head; numbers as they are, nothing where there is no value."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([_safe(one) for one in head])
    writer.writerows([_safe(one) for one in row] for row in rows)
    return file.getvalue()


def _safe(value: str | int | float | None) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"  # a quote before it makes it a text, and stays visible
    return round(value, 3) if isinstance(value, float) else value


def csv_file(name: str, text: str) -> Response:
    """Return a file to be saved under a name of ours."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    # The mark says to spreadsheets that it is UTF-8.
    return Response(("\ufeff" + text).encode(), media_type="text/csv; charset=utf-8", headers=headers)
