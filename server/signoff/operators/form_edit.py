"""One item more or one less in a list of a form, for browsers without a script."""

from __future__ import annotations

import re

from signoff.operators.form_fields import MAX_ITEMS, Sent

FIRST_NEW = 100
"""Numbers below are those of items that were there at first (at most `MAX_ITEMS`); one that was removed must not come back."""

_ADD = re.compile(r"add:([a-z0-9_]{1,100})")
_REMOVE = re.compile(r"remove:([a-z0-9_]{1,100}):([0-9]{1,3})")


def edited(sent: Sent) -> Sent:
    """Return what was sent, with the item added or removed that its `edit` names; unchanged for anything else."""
    text = sent.get("edit", ("",))[0]
    if added := _ADD.fullmatch(text):
        marks = f"{added[1]}_items"
        there = tuple(one for one in sent.get(marks, ()) if one)
        number = max([FIRST_NEW - 1, *(int(one) for one in there if one.isdecimal())]) + 1
        if len(there) >= MAX_ITEMS or number > 999:
            return sent
        return {**sent, marks: (*there, str(number))}
    if removed := _REMOVE.fullmatch(text):
        marks, item = f"{removed[1]}_items", f"{removed[1]}_i{removed[2]}"
        left = tuple(one for one in sent.get(marks, ()) if one != removed[2])
        kept = {
            name: value for name, value in sent.items() if name != item and not name.startswith(f"{item}_")
        }
        return {**kept, marks: left or ("",)}
    return sent
