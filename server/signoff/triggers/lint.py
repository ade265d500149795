"""What a policy that loads probably does not mean: rules that can never act, and names that nothing reads.

Nothing here changes how a policy is evaluated. A warning is about something without effect, or with far more of it
than a rule usually has; a note is about what holds by design and surprises people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from signoff.domain.policy import DEFAULT_QUEUE, Trigger
from signoff.triggers.compile import Glob, Rule
from signoff.triggers.document import Path as Where
from signoff.triggers.document import Place, read_document
from signoff.triggers.expression import Expression, constant_result
from signoff.triggers.fields import Path, canonical_path, path_text
from signoff.triggers.load import LoadedPolicy

_EVERY_TOOL = ("*",)
_ONLY_FOR_APPROVALS = ("require", "queue", "urgency", "approve_within", "approval_valid_for")
_OPTIONAL: tuple[Path, ...] = (
    ("action", "server"),
    ("action", "summary"),
    ("agent", "owner"),
    ("session", "id"),
)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something worth a look, and where."""

    level: Literal["warning", "note"]
    line: int
    column: int
    message: str


def lint(loaded: LoadedPolicy) -> list[Remark]:
    """Return remarks about a policy that loads, in the file's order."""
    document = read_document(loaded.text)
    made: list[Remark] = []
    for level, where, message in (*_rules(loaded), *_unread(loaded)):
        place = document.places.get(where) or document.places.get(where[:2], Place(1, 1))
        if where[0] != "triggers":
            place = document.keys.get(where, place)
        made.append(Remark(level, place.line, place.column, message))
    return sorted(made, key=lambda remark: (remark.line, remark.column))


_Found = tuple[Literal["warning", "note"], Where, str]


def _rules(loaded: LoadedPolicy) -> Iterator[_Found]:
    stopping = [one for one in loaded.policy.triggers if one.then != "allow" and one.mode == "enforce"]
    always_allowing = [
        rule.trigger
        for rule in loaded.index.rules
        if rule.trigger.then == "allow" and rule.trigger.mode == "enforce" and _is_always(rule)
    ]
    for number, rule in enumerate(loaded.index.rules):
        trigger, where = rule.trigger, ("triggers", number)
        yield from _condition(rule, where)
        yield from _tools(trigger, where)
        if trigger.then == "allow" and trigger.mode == "enforce":
            yield from _allowing(rule, where, stopping)
        if trigger.then == "deny":
            for key in _ONLY_FOR_APPROVALS:
                if key in trigger.model_fields_set:
                    yield (
                        "warning",
                        (*where, key),
                        f"{key} has no effect: an action that is denied is put to nobody",
                    )
        for other in always_allowing:
            if trigger.id in other.suppresses and _covers(other.tools, trigger.tools):
                yield (
                    "warning",
                    (*where, "id"),
                    f"'{trigger.id}' never counts: '{other.id}' suppresses it for every tool that it is about",
                )


def _condition(rule: Rule, where: Where) -> Iterator[_Found]:
    condition = rule.condition
    if condition is None:
        return
    constant = constant_result(condition)
    if constant is False:
        yield "warning", (*where, "when"), "never fires: the condition is always false"
    if constant is True:
        yield "note", (*where, "when"), "always true; leave 'when' out"
    for path in condition.reads:
        if _is_optional(canonical_path(path)) and not _is_asked_for(path, condition):
            text = path_text(path)
            # has() takes a field after a dot.
            asked = path_text(canonical_path(path)) if len(path) == 1 else text
            yield (
                "note",
                (*where, "when"),
                f"fires as 'missing {text}' where the agent does not send it; write has({asked}) && … if it should not",
            )


def _is_optional(path: Path) -> bool:
    return path in _OPTIONAL or (path[0] == "bundle" and len(path) > 1)


def _is_asked_for(path: Path, condition: Expression) -> bool:
    full = canonical_path(path)
    asked = [canonical_path(one) for one in condition.asks]
    return any(full[: len(one)] == one for one in asked)


def _tools(trigger: Trigger, where: Where) -> Iterator[_Found]:
    tools = trigger.tools or ()
    for place, tool in enumerate(tools):
        for other_place, other in enumerate(tools):
            is_twin = tool == other and other_place >= place
            if other_place != place and not is_twin and _matches(other, tool):
                yield "warning", (*where, "tools", place), f"'{tool}' adds nothing: '{other}' matches it too"
                break


def _allowing(rule: Rule, where: Where, stopping: list[Trigger]) -> Iterator[_Found]:
    trigger = rule.trigger
    suppressed = {one.id for one in stopping} <= set(trigger.suppresses)
    # An allow-list of its own few tools may name them all; one for all of their tools leaves nothing.
    if len(stopping) > 1 and suppressed and all(_covers(trigger.tools, one.tools) for one in stopping):
        yield "warning", (*where, "suppresses"), "suppresses every trigger that could stop an action"
    if _is_always(rule) and _covers(trigger.tools, None):
        yield (
            "warning",
            (*where, "id"),
            f"'{trigger.id}' allows every action: nobody is asked unless another trigger fires, not even where the"
            " agent asks for a person",
        )


def _unread(loaded: LoadedPolicy) -> Iterator[_Found]:
    read = {
        path[1]
        for rule in loaded.index.rules
        for expression in _expressions(rule)
        for path in (*expression.reads, *expression.asks)
        if path[0] == "signals"
    }
    for name in loaded.signals:
        if name not in read:
            yield "warning", ("signals", name), f"no trigger reads signals.{name}"
    used = {trigger.queue for trigger in loaded.policy.triggers}
    for name in loaded.policy.queues:
        if name not in used and name != DEFAULT_QUEUE:
            yield "warning", ("queues", name), f"no trigger sends a case to the queue '{name}'"


def _expressions(rule: Rule) -> Iterator[Expression]:
    if rule.condition is not None:
        yield rule.condition
    yield from (part for part in rule.explain if isinstance(part, Expression))


def _is_always(rule: Rule) -> bool:
    return rule.condition is None or constant_result(rule.condition) is True


def _covers(tools: Iterable[str] | None, others: Iterable[str] | None) -> bool:
    """Say whether some tool patterns match every tool that others match; None stands for every tool."""
    wide = tuple(_EVERY_TOOL if tools is None else tools)
    return all(
        any(_matches(one, other) for one in wide) for other in (_EVERY_TOOL if others is None else others)
    )


def _matches(pattern: str, tool: str) -> bool:
    # A `*` in the other pattern can only be matched by one in this, which then takes whatever it stands for.
    return pattern == tool or ("*" in pattern and Glob(tuple(pattern.split("*"))).matches(tool))
