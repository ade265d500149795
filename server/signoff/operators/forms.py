"""Read what a page's form sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request

from signoff.domain.errors import InvalidRequest

MAX_FORM_BYTES = 4 * 1024 * 1024
"""Arguments have up to 256 KB, stand in a form up to twice, and grow threefold in form encoding."""
MAX_SMALL_FORM_BYTES = 16 * 1024
MAX_FORM_FIELDS = 2000


async def values_of(request: Request) -> dict[str, tuple[str, ...]]:
    """Return every value by field name, in order.

    Raises:
        InvalidRequest: Not a form as our pages send it.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise InvalidRequest("Only forms of these pages are taken (application/x-www-form-urlencoded).")
    form = await request.form(max_fields=MAX_FORM_FIELDS, max_part_size=MAX_FORM_BYTES)
    made: dict[str, tuple[str, ...]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            made[name] = (*made.get(name, ()), value)
    return made


async def fields_of(request: Request) -> dict[str, str]:
    """Return the first value by field name.

    Raises:
        InvalidRequest: Not a form as our pages send it.
    """
    return {name: values[0] for name, values in (await values_of(request)).items()}


def first_of(form: Mapping[str, Sequence[str]], name: str) -> str:
    """Return the first value of a field, empty where it was not sent."""
    return next(iter(form.get(name, ())), "")
