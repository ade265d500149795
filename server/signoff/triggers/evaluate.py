"""Evaluate a policy over one action: a pure function of the policy and the facts, and fail-closed.

Whatever the agent sent or left out, the answer is a verdict: a condition that cannot be evaluated makes its
trigger fire, and nothing that an agent sends can make an allow trigger allow by failing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from signoff.domain.people import strictest_assurance, strictest_role
from signoff.domain.policy import DEFAULT_QUEUE, Defaults, Trigger
from signoff.domain.secrets import mask_secrets
from signoff.domain.verdict import URGENCIES, Fired, Outcome, Requirement, Verdict
from signoff.triggers.compile import Index, Rule
from signoff.triggers.engine import Context
from signoff.triggers.expression import Expression
from signoff.triggers.facts import Facts
from signoff.triggers.fields import Path
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.signals.signal import Signal
from signoff.triggers.values import MAX_EXPLAINED, Values

MATCHED = "matched"
MAX_EXPLANATION_CHARS = 500
MAX_VALUES = 10_000
"""Values (items, members, texts, numbers) below one path that rules read; converting them costs about 20 ms."""
MAX_NUMBER = (
    1e60  # far above any amount; products of five stay finite, so no NaN arises from what an agent sends
)
MAX_BODY_CHARS = 50_000_000
"""Characters that a comprehension may read: items times the length of what it reads again for each."""

STRICTNESS: tuple[Outcome, ...] = ("allow", "escalate", "deny")
_UNDEFINED = re.compile(r"'(__[vh]\d+)'")


@dataclass(slots=True)
class _Source:
    """Where values come from: the facts, and the signals, each computed once and only if a rule reads it."""

    signals: Mapping[str, Signal]
    facts: Facts
    _known: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def look_up(self, path: Path) -> tuple[str, Any]:
        """Return `("here", value)`, `("missing", None)`, or why there is a value that no rule can use."""
        if path[0] != "signals":
            found, value = self.facts.look_up(path)
            return found if found in ("here", "missing") else f"error: {found} is not an object", value
        name = path[1]
        if name not in self._known:
            self._known[name] = self._signal(name)
        return self._known[name]

    def _signal(self, name: str) -> tuple[str, Any]:
        try:
            value = self.signals[name].value(self.facts, name)
        except Exception:  # noqa: BLE001 -- whatever a signal meets in what an agent sent, its rules fire
            return f"error: the signal {name} cannot be computed", None
        return ("missing", None) if value is None else ("here", value)


@dataclass(slots=True)
class _Reading:
    """The values that some expressions read, as the engine's variables."""

    context: Context
    values: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, Path] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Variables whose value cannot be given to a rule, with why."""


def evaluate(policy: LoadedPolicy, facts: Facts) -> Verdict:
    """Return what a policy says of an action.

    Deny beats escalate beats allow. Escalations add up to the strictest of each requirement, the highest
    urgency and the shortest times; the queue is that of the most urgent one that names a queue, the first in the
    policy's order among equals.
    """
    defaults = policy.policy.defaults
    plan = policy.index.plan(str(facts.action.get("tool", "")))
    source = _Source(policy.signals, facts)
    reading = _read(source, plan.reads, plan.asks)
    hits: list[tuple[Rule, str]] = []
    for rule in plan.rules:
        reason = MATCHED if rule.condition is None else _holds(rule.condition, reading, policy.index)
        if reason is not None:
            hits.append((rule, reason))
    explained = _explanations(source, policy.index, [rule for rule, _ in hits])
    known = Values(reading.values)
    enforced: list[tuple[Trigger, Fired]] = []
    shadow: list[Fired] = []
    for number, ((rule, reason), explanation) in enumerate(zip(hits, explained, strict=True)):
        values = _values(rule, known, policy.index) if number < MAX_EXPLAINED else {}
        fired = _fired(rule.trigger, reason, explanation, defaults, values)
        if rule.trigger.mode == "shadow":
            shadow.append(fired)
        else:
            enforced.append((rule.trigger, fired))
    return _combined(policy, _unsuppressed(enforced), tuple(shadow))


@dataclass(frozen=True, slots=True)
class Considered:
    """One trigger for the action's tool, and what came of it."""

    trigger: Trigger
    reason: str | None
    """Why it fired; None where it did not."""
    values: Mapping[str, Any]
    """What its condition read, as `Fired.values`."""
    suppressed_by: tuple[str, ...]
    """The allow triggers because of which it does not count."""


def consider(policy: LoadedPolicy, facts: Facts) -> tuple[Considered, ...]:
    """Return every trigger for an action's tool, those that did not fire too, in the policy's order.

    What `evaluate` combines into a verdict, one by one; for explanations, not for speed.
    """
    plan = policy.index.plan(str(facts.action.get("tool", "")))
    reading = _read(_Source(policy.signals, facts), plan.reads, plan.asks)
    known = Values(reading.values)
    reasons = [
        MATCHED if rule.condition is None else _holds(rule.condition, reading, policy.index)
        for rule in plan.rules
    ]
    allowing = [
        rule.trigger
        for rule, reason in zip(plan.rules, reasons, strict=True)
        if reason == MATCHED and rule.trigger.then == "allow" and rule.trigger.mode == "enforce"
    ]
    return tuple(
        Considered(
            rule.trigger,
            reason,
            _values(rule, known, policy.index),
            tuple(one.id for one in allowing if rule.trigger.id in one.suppresses)
            if reason is not None and rule.trigger.mode == "enforce" and not reason.startswith("error:")
            else (),
        )
        for rule, reason in zip(plan.rules, reasons, strict=True)
    )


def _unsuppressed(enforced: list[tuple[Trigger, Fired]]) -> list[tuple[Trigger, Fired]]:
    """Leave out what a matching allow trigger names; a trigger that failed to evaluate always counts."""
    named = {name for trigger, fired in enforced if fired.then == "allow" for name in trigger.suppresses}
    if not named:
        return enforced
    return [
        (trigger, fired)
        for trigger, fired in enforced
        if trigger.id not in named or fired.reason.startswith("error:")
    ]


def _combined(
    policy: LoadedPolicy, counted: list[tuple[Trigger, Fired]], shadow: tuple[Fired, ...]
) -> Verdict:
    defaults = policy.policy.defaults
    asking = [trigger for trigger, fired in counted if fired.then == "escalate"]
    outcome = max((fired.then for _, fired in counted), key=STRICTNESS.index, default=defaults.unmatched)
    queues = [trigger for trigger in asking if trigger.queue is not None]
    first = max(queues, key=lambda trigger: URGENCIES.index(trigger.urgency), default=None)
    return Verdict(
        outcome=outcome,
        fired=tuple(fired for _, fired in counted),
        shadow=shadow,
        policy_digest=policy.digest,
        queue=first.queue if first is not None and first.queue is not None else DEFAULT_QUEUE,
        urgency=max((trigger.urgency for trigger in asking), key=URGENCIES.index, default="normal"),
        require=_strictest([trigger.require.as_requirement() for trigger in asking]),
        approve_within=min(
            (trigger.approve_within or defaults.approve_within for trigger in asking),
            default=defaults.approve_within,
        ),
        approval_valid_for=min(
            (trigger.approval_valid_for or defaults.approval_valid_for for trigger in asking),
            default=defaults.approval_valid_for,
        ),
        on_deadline=defaults.on_deadline,
    )


def _strictest(some: list[Requirement]) -> Requirement:
    if not some:
        return Requirement()
    return Requirement(
        role=strictest_role(one.role for one in some),
        approvals=max(one.approvals for one in some),
        assurance=strictest_assurance(one.assurance for one in some),
        separation=any(one.separation for one in some),
        reason=any(one.reason for one in some),
    )


def _values(rule: Rule, known: Values, index: Index) -> dict[str, Any]:
    return {} if rule.condition is None else known.of(rule.condition, index.values, index.presences)


def _fired(
    trigger: Trigger, reason: str, explanation: str, defaults: Defaults, values: Mapping[str, Any]
) -> Fired:
    """Return the record of a trigger that fired, with how it acts.

    What could not be evaluated never allows: an allow trigger then escalates, and after an error every trigger
    is at least as strict as `on_error` (a deny trigger still denies).
    """
    then = trigger.then
    if reason != MATCHED:
        then = "escalate" if then == "allow" else then
    if reason.startswith("error:"):
        then = max(then, defaults.on_error, key=STRICTNESS.index)
    return Fired(
        trigger=trigger.id,
        title=trigger.title or trigger.id,
        category=trigger.category,
        then=then,
        explanation=explanation or trigger.title or trigger.id,
        reason=reason,
        urgency=trigger.urgency,
        values=values,
    )


def _read(source: _Source, reads: Iterable[tuple[str, Path]], asks: Iterable[tuple[str, Path]]) -> _Reading:
    """Gather exactly the values that some expressions need; a bundle of 2 MB costs what is read of it."""
    reading = _Reading(Context())
    for name, path in reads:
        found, value = source.look_up(path)
        if found == "here":
            too_much = None if isinstance(value, (str, bool, int)) else _too_much(value)
            if too_much is None:
                reading.values[name] = value
            else:
                reading.refused[name] = f"error: {'.'.join(path)} {too_much}"
        elif found == "missing":
            reading.missing[name] = path
        else:
            reading.refused[name] = found
    for name, path in asks:
        found, _ = source.look_up(path)
        if found in ("here", "missing"):
            reading.values[name] = found == "here"
        else:
            reading.refused[name] = found
    try:
        reading.context.update(reading.values)
    except (ValueError, TypeError, OverflowError):
        _give_one_by_one(reading)
    return reading


def _give_one_by_one(reading: _Reading) -> None:
    """Give the engine what it takes, and note the values it does not (none that the domain's checks let pass)."""
    reading.context = Context()
    for name, value in reading.values.items():
        try:
            reading.context.add_variable(name, value)
        except (ValueError, TypeError, OverflowError):
            reading.refused[name] = "error: a value that is not JSON"


def _too_much(value: Any) -> str | None:
    """Say why a value is too large for rules, None where it is not; stops at the limit."""
    waiting, seen = [value], 0
    while waiting:
        one = waiting.pop()
        seen += 1
        if isinstance(one, float):
            if not -MAX_NUMBER <= one <= MAX_NUMBER:
                return "is a number too large for rules"
            continue
        if isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            waiting.extend(one)
        if seen + len(waiting) > MAX_VALUES:
            return f"holds more than {MAX_VALUES} values, too many for rules"
    return None


def _holds(condition: Expression, reading: _Reading, index: Index) -> str | None:
    """Return why a condition's trigger fires, None where it does not."""
    if reading.refused:
        for path in (*condition.reads, *condition.asks):
            why = reading.refused.get(index.values.get(path, "")) or reading.refused.get(
                index.presences.get(path, "")
            )
            if why is not None:
                return why
    if condition.list_cap is not None:
        too_long = _too_long(condition, reading, index)
        if too_long is not None:
            return too_long
    try:
        result = condition.program.execute(reading.context)
    # A Rust panic derives from BaseException; whatever the engine does, the trigger fires.
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return _failure(error, condition, reading)
    if result is True:
        return MATCHED
    if result is False:
        return None
    return "error: the condition gives neither true nor false"


def _too_long(condition: Expression, reading: _Reading, index: Index) -> str | None:
    longest, again = 0, 0
    for path in condition.reads:
        value = reading.values.get(index.values[path])
        if isinstance(value, (list, tuple, Mapping)):
            cap = condition.list_cap or 0
            length = _longest(value)
            if length > cap:
                return f"error: {'.'.join(path)} has a list of {length} items; rules walk at most {cap}"
            longest = max(longest, length)
        if path in condition.body_reads:
            again += len(value) if isinstance(value, str) else len(json.dumps(value, default=str))
    if longest * again > MAX_BODY_CHARS:
        return "error: too much text to go through for each item"
    return None


def _longest(value: Any) -> int:
    """Return the length of the longest list or map at or below a value."""
    waiting, longest = [value], 0
    while waiting:
        one = waiting.pop()
        if isinstance(one, (list, tuple, Mapping)):
            longest = max(longest, len(one))
            waiting.extend(one.values() if isinstance(one, Mapping) else one)
    return longest


def _failure(error: BaseException, condition: Expression, reading: _Reading) -> str:
    """Return a reason in our words; the engine's may hold what the agent sent."""
    if isinstance(error, KeyError):
        key = error.args[0] if error.args else ""
        name = str(key).strip("'\"")
        return f"missing {name}" if name in condition.members else "missing a key that the condition looks up"
    if isinstance(error, IndexError):
        return "missing an item that the condition looks up"
    undefined = _UNDEFINED.search(str(error)) if isinstance(error, RuntimeError) else None
    if undefined and undefined[1] in reading.missing:
        return f"missing {'.'.join(reading.missing[undefined[1]])}"
    if isinstance(error, TypeError):
        return "error: values of types that cannot be compared or combined"
    if isinstance(error, ZeroDivisionError):
        return "error: division by zero"
    if isinstance(error, OverflowError):
        return "error: a number out of range"
    if isinstance(error, (ValueError, RuntimeError)):
        return "error: a value that an operation or function does not take"
    return "error: the rule engine failed"


def _explanations(source: _Source, index: Index, rules: list[Rule]) -> list[str]:
    """Return one explanation per rule, empty where it has no template; nothing here changes a verdict."""
    used = [part for rule in rules for part in rule.explain if isinstance(part, Expression)]
    reads = dict.fromkeys(path for expression in used for path in expression.reads)
    asks = dict.fromkeys(path for expression in used for path in expression.asks)
    reading = _read(
        source,
        [(index.values[path], path) for path in reads],
        [(index.presences[path], path) for path in asks],
    )
    return [_explanation(rule, reading, index) for rule in rules]


def _explanation(rule: Rule, reading: _Reading, index: Index) -> str:
    if not rule.explain:
        return ""
    text = "".join(part if isinstance(part, str) else _shown(part, reading, index) for part in rule.explain)
    masked, _ = mask_secrets(text)
    text = str(masked)
    if len(text) <= MAX_EXPLANATION_CHARS:
        return text
    marker = f"… [cut, {len(text)} characters in all]"
    return text[: MAX_EXPLANATION_CHARS - len(marker)] + marker


def _shown(expression: Expression, reading: _Reading, index: Index) -> str:
    """Return a value as text: texts as they are, everything else as JSON."""
    if expression.list_cap is not None and _too_long(expression, reading, index) is not None:
        return "(too large)"
    try:
        value = expression.program.execute(reading.context)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return (
            "(not given)"
            if _failure(error, expression, reading).startswith("missing")
            else "(cannot be shown)"
        )
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
