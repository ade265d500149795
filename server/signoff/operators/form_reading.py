"""What a submitted form stands for, field by field.

A value that the person did not touch is kept exactly as it was: browsers send other line ends than they got, and a
number may be written in several ways.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from signoff.domain.canonical import parse_json
from signoff.domain.errors import InvalidRequest
from signoff.operators.diff import changes
from signoff.operators.form_fields import NOTHING, Field

_NUMBER = r"-?[0-9]{1,16}(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?"
_WHOLE = r"-?[0-9]{1,16}"
_INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?"


def read(field: Field) -> Any:
    """Return the value of a field as it was sent; `NOTHING` where it was left empty and may be.

    Raises:
        InvalidRequest: Names the field that holds no value of its type, or is needed and empty.
    """
    if field.kind == "kept":
        return field.before
    if field.kind == "group":
        return _group(field)
    if field.kind == "rows":
        return _rows(field)
    if field.kind == "fixed":
        return field.options[0]
    if not field.was_sent and field.before is not NOTHING:
        return field.before
    if field.before is not NOTHING and _same(field):
        return field.before
    if field.kind == "choices":
        chosen = [_chosen(field, text) for text in field.sent]
        return chosen if chosen or field.required or field.before is not NOTHING else NOTHING
    return _leaf(field)


def was_filled(field: Field) -> bool:
    """Say whether the person sent anything for a field or its members."""
    if field.kind in ("fixed", "kept"):
        return False
    if field.kind == "variant":
        return bool(field.value.strip())
    return any(map(was_filled, field.members)) or any(text.strip() for text in field.sent)


def same_text(one: str, other: str) -> bool:
    """Compare two texts as a form sends them: every line end is CR LF there, whatever it was before."""
    return plain_lines(one) == plain_lines(other)


def plain_lines(text: str) -> str:
    """Return a text with one kind of line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _same(field: Field) -> bool:
    if field.before is None and field.nullable:
        return not field.value.strip()
    if field.kind == "choices":
        return field.sent == field.before_text
    return same_text(field.value, field.original)


def _group(field: Field) -> Any:
    held = field.before if isinstance(field.before, dict) else {}
    if field.before is NOTHING and not field.required and not was_filled(field):
        return NOTHING
    chosen = {one.name: one for one in field.members}
    made = {key: value for key, value in held.items() if key not in {one.key for one in field.members}}
    for member in field.members:
        counts = _counts(member, chosen)
        if not counts and not _is_kept(member, chosen):
            continue
        value = read(member) if counts else _kept(member)
        if value is not NOTHING:
            made[member.key] = value
    if field.before is NOTHING:
        return made if made or field.required else NOTHING
    return {**{key: made[key] for key in held if key in made}, **made}


def _counts(member: Field, siblings: dict[str, Field]) -> bool:
    """Say whether a conditional part counts by what was chosen.

    Raises:
        InvalidRequest: It does not, and was filled in all the same.
    """
    when = member.when
    other = siblings.get(when.name) if when is not None else None
    if when is None or other is None:
        return True
    text = other.value.strip()
    counts = text in when.values if when.values else was_filled(other)
    if not counts and member.was_sent and was_filled(member) and member.before is NOTHING:
        raise InvalidRequest(
            "does not belong to what you chose; leave it empty, or choose otherwise.", field=member.path
        )
    return counts


def _is_kept(member: Field, siblings: dict[str, Field]) -> bool:
    """Say whether a part that does not count stays: it was there, and its person did not choose otherwise.

    Agents send parts that their schema allows and no condition asks for. Where a person's own choice ends a part, it
    goes, and stands among the changes as removed.
    """
    other = siblings[member.when.name] if member.when is not None else member
    if member.before is NOTHING:
        return False
    return not other.was_sent or (not was_filled(other) if other.before is NOTHING else _same(other))


def _kept(member: Field) -> Any:
    """Return what was there before.

    Raises:
        InvalidRequest: The person wrote something else there, though the part does not count.
    """
    if changes(member.before, read(member)):
        raise InvalidRequest(
            "does not belong to what you chose; leave it as it was, or choose otherwise.", field=member.path
        )
    return member.before


def _rows(field: Field) -> Any:
    if not field.was_sent and field.before is not NOTHING:
        return field.before
    made = [read(member) for member in field.members]
    made = [one for one in made if one is not NOTHING]
    return made if made or field.required or field.before is not NOTHING else NOTHING


def _leaf(field: Field) -> Any:
    text = plain_lines(field.value)
    if not text.strip():
        return _empty(field, text)
    match field.kind:
        case "choice":
            return _chosen(field, text)
        case "variant":
            return read(field.members[_chosen(field, text)])
        case "list":
            return [_simple(field, line) for line in text.split("\n") if line.strip()]
        case "json":
            return parse_json(text, field=field.path)
        case "yes_no":
            if text not in ("true", "false"):
                raise InvalidRequest("must be yes or no.", field=field.path)
            return text == "true"
        case "number" | "integer":
            return _number(text, field.path, whole=field.kind == "integer")
        case "date":
            return _date(text, field.path)
        case "datetime":
            return _instant(text, field.path)
        case _:
            return text


def _empty(field: Field, text: str) -> Any:
    if field.nullable and (field.required or field.before is not NOTHING):
        return None
    if field.before is not NOTHING:
        if field.kind in ("line", "text"):
            return text
        if field.kind == "list":
            return []
        if field.kind == "json":
            return parse_json("", field=field.path)
        raise InvalidRequest(_WANTED.get(field.kind, "is needed."), field=field.path)
    if field.required:
        raise InvalidRequest("is needed.", field=field.path)
    return NOTHING


_WANTED = {
    "number": "must be a number, such as 120 or 99.5.",
    "integer": "must be a whole number, such as 3.",
    "yes_no": "must be yes or no.",
    "date": "must be a day, such as 2026-11-25.",
    "datetime": "must be a day and a time in UTC, such as 2026-11-25T14:30.",
}


def _chosen(field: Field, text: str) -> Any:
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) >= len(field.options):
        raise InvalidRequest("must be one of the values offered.", field=field.path)
    return field.options[int(text)]


def _simple(field: Field, line: str) -> Any:
    if field.item_kind == "text":
        return line.strip()
    return _number(line, field.path, whole=field.item_kind == "integer")


def _number(text: str, path: str, *, whole: bool) -> int | float:
    if not re.fullmatch(_WHOLE if whole else _NUMBER, text.strip()):
        raise InvalidRequest(_WANTED["integer" if whole else "number"], field=path)
    value: int | float = parse_json(text.strip(), field=path)
    return value


def _date(text: str, path: str) -> str:
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise InvalidRequest(_WANTED["date"], field=path) from None


def _instant(text: str, path: str) -> str:
    """Return an instant in UTC as RFC 3339 writes it; the browser's field has no zone, and its label says UTC."""
    plain = text.strip().removesuffix("Z")
    if not re.fullmatch(_INSTANT, plain):
        raise InvalidRequest(_WANTED["datetime"], field=path)
    _date(plain[:10], path)
    hour, minute, *second = (int(one) for one in plain[11:].split(":"))
    if hour > 23 or minute > 59 or any(one > 59 for one in second):
        raise InvalidRequest(_WANTED["datetime"], field=path)
    return f"{plain}Z" if len(plain) > 16 else f"{plain}:00Z"
