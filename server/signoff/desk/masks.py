"""Hide from a person what the policy's masks hide from all of their roles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from signoff.domain.policy import Mask

HIDDEN = "[hidden by policy]"


def is_hidden(value: object) -> bool:
    """Say whether a value of a masked document was replaced by a mask.

    By identity: an agent may send the very same words, and they are no mask.
    """
    return value is HIDDEN


def masked(document: Any, masks: Iterable[Mask]) -> tuple[Any, tuple[str, ...]]:
    """Return a document with the masked places replaced, and the paths that were hidden.

    The document itself is not changed; what no mask touches is shared with it.
    """
    hidden: list[str] = []
    for mask in masks:
        document = _masked(document, mask.parts, "", hidden)
    return document, tuple(hidden)


def _masked(value: Any, parts: Sequence[str], path: str, hidden: list[str]) -> Any:
    if not parts:
        hidden.append(path)
        return HIDDEN
    part, rest = parts[0], parts[1:]
    if isinstance(value, dict):
        made = dict(value)
        for key in list(made) if part == "*" else [part] if part in made else []:
            made[key] = _masked(made[key], rest, f"{path}.{key}" if path else key, hidden)
        return made
    if isinstance(value, list) and part == "*":
        return [_masked(member, rest, f"{path}[{index}]", hidden) for index, member in enumerate(value)]
    return value
