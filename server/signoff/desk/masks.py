"""Hide from a person what the policy's masks hide from all of their roles, and from a model what they hide at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from signoff.domain.policy import Mask
from signoff.triggers.fields import canonical_path, path_of
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.signals.signal import Signal

HIDDEN = "[hidden by policy]"


def is_hidden(value: object) -> bool:
    """Say whether a value of a masked document was replaced by a mask.

    By identity: an agent may send the very same words, and they are no mask.
    """
    return value is HIDDEN


def holds_hidden(value: object) -> bool:
    """Say whether a mask hides a value of a masked document, or something in it."""
    if isinstance(value, Mapping):
        return any(map(holds_hidden, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(holds_hidden, value))
    return is_hidden(value)


def masked(document: Any, masks: Iterable[Mask]) -> tuple[Any, tuple[str, ...]]:
    """Return a document with the masked places replaced, and the paths that were hidden.

    The document itself is not changed; what no mask touches is shared with it.
    """
    hidden: list[str] = []
    for mask in masks:
        document = _masked(document, mask.parts, "", hidden)
    return document, tuple(hidden)


def masked_fired(
    fired: Iterable[Mapping[str, Any]], masks: Sequence[Mask], signals: Mapping[str, Signal]
) -> list[dict[str, Any]]:
    """Return the records of triggers that fired without the values that some masks hide, as readers get them.

    An explanation that was made of such a value is replaced by the trigger's title. A policy never explains with what
    its own masks hide, but a case outlives its policy: the mask may have come later.

    The value of a signal is hidden with the paths that its declaration names, and also where it is no longer declared:
    nobody can then say what it was computed from. That a field was sent, `has(path)`, is not hidden; the page shows
    a hidden field as one that is there.

    Args:
        fired: As `Fired.as_json` makes them; those of an older version have no values, or do not say what the
            explanation shows, and where anything is hidden that is then hidden with it.
        masks: What hides.
        signals: Those that the policy declares now.
    """
    return [_masked_one(one, masks, signals) for one in fired]


def fired_for_model(fired: Iterable[Mapping[str, Any]], policy: LoadedPolicy) -> list[dict[str, Any]]:
    """Return the records of triggers that fired as a model may see them.

    A value that the policy hides from anybody is hidden from models: what they are told travels into transcripts and
    logs that no role guards. The agent knows what it sent; the path says which of it mattered.
    """
    return masked_fired(fired, policy.policy.masks, policy.signals)


def _masked_one(
    fired: Mapping[str, Any], masks: Sequence[Mask], signals: Mapping[str, Signal]
) -> dict[str, Any]:
    made = {key: value for key, value in fired.items() if key != "shows"}
    values = made["values"] = _masked_values(fired.get("values", {}), masks, signals)
    shows = fired.get("shows")
    if masks and (
        shows is None
        or any(_is_masked(one, masks, signals) for one in shows)
        or any(map(is_hidden, values.values()))
    ):
        made["explanation"] = fired.get("title", "")
    return made


def _masked_values(
    values: Mapping[str, Any], masks: Sequence[Mask], signals: Mapping[str, Signal]
) -> dict[str, Any]:
    if not masks:
        return dict(values)
    return {path: HIDDEN if _is_masked(path, masks, signals) else value for path, value in values.items()}


def _is_masked(text: str, masks: Sequence[Mask], signals: Mapping[str, Signal]) -> bool:
    if text.startswith("has("):
        return False
    path = canonical_path(path_of(text))
    if path[0] != "signals":
        return any(mask.touches(path) for mask in masks)
    declared = signals.get(path[1])
    return declared is None or any(
        mask.touches(canonical_path(used)) for mask in masks for used in declared.paths()
    )


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
