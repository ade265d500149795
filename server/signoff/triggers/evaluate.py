"""Evaluate a policy over one action: a pure function of the policy and the facts, and fail-closed.

Whatever the agent sent or left out, the answer is a verdict: a condition that cannot be evaluated makes its
trigger fire, and nothing that an agent sends can make an allow trigger allow by failing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from signoff.domain.people import strictest_assurance, strictest_role
from signoff.domain.policy import DEFAULT_QUEUE, Defaults, Trigger
from signoff.domain.verdict import URGENCIES, Fired, Outcome, Requirement, Verdict
from signoff.triggers.compile import Index, Plan
from signoff.triggers.cost import affordable
from signoff.triggers.explain import explanations, values_of
from signoff.triggers.expression import Expression
from signoff.triggers.facts import Facts
from signoff.triggers.failure import failure
from signoff.triggers.fields import path_text
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.reading import Reading, Source, read
from signoff.triggers.values import MAX_EXPLAINED

MATCHED = "matched"
NEITHER = "error: the condition gives neither true nor false"
TOO_DEAR = "error: what the conditions read is too much to go through"
BUDGET_NS = 31_000_000
"""What one evaluation may cost by the sizes of what is sent, as estimated (`cost.py`). Beside it stand the fixed cost
of the rules for one tool, which is limited at load, and the explanations; together less than 50 ms."""

STRICTNESS: tuple[Outcome, ...] = ("allow", "escalate", "deny")


def evaluate(policy: LoadedPolicy, facts: Facts) -> Verdict:
    """Return what a policy says of an action.

    Deny beats escalate beats allow. Escalations add up to the strictest of each requirement, the highest
    urgency and the shortest times; the queue is that of the most urgent one that names a queue, the first in the
    policy's order among equals.
    """
    plan = policy.index.plan(str(facts.action.get("tool", "")))
    source = Source(policy.signals, facts)
    reading = read(source, plan.reads, plan.asks)
    reasons = _reasons(plan, reading, policy.index)
    if not any(reasons):
        return policy.unmatched
    hits = [(rule, reason) for rule, reason in zip(plan.rules, reasons, strict=True) if reason is not None]
    rules = [rule for rule, _ in hits]
    explained = explanations(source, policy.index, rules)
    valued = values_of(rules[:MAX_EXPLAINED], policy.index, reading)
    enforced: list[tuple[Trigger, Fired]] = []
    shadow: list[Fired] = []
    for number, ((rule, reason), explanation) in enumerate(zip(hits, explained, strict=True)):
        values = valued[number] if number < MAX_EXPLAINED else {}
        shows = tuple(map(path_text, rule.shows))
        fired = _fired(rule.trigger, reason, explanation, policy.policy.defaults, values, shows)
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
    reading = read(Source(policy.signals, facts), plan.reads, plan.asks)
    reasons = _reasons(plan, reading, policy.index)
    valued = values_of(plan.rules, policy.index, reading)
    allowing = [
        rule.trigger
        for rule, reason in zip(plan.rules, reasons, strict=True)
        if reason == MATCHED and rule.trigger.then == "allow" and rule.trigger.mode == "enforce"
    ]
    return tuple(
        Considered(
            rule.trigger,
            reason,
            values,
            tuple(one.id for one in allowing if rule.trigger.id in one.suppresses)
            if reason is not None and rule.trigger.mode == "enforce" and not reason.startswith("error:")
            else (),
        )
        for rule, reason, values in zip(plan.rules, reasons, valued, strict=True)
    )


def _reasons(plan: Plan, reading: Reading, index: Index) -> list[str | None]:
    """Return for each rule of a plan why it fires, None where it does not."""
    reasons: list[str | None] = [None] * len(plan.rules)
    for number in plan.always:
        reasons[number] = MATCHED
    singly = list(plan.apart)
    room = BUDGET_NS - reading.convert_ns
    grouped_ns = reading.chars * plan.char_ns + reading.converted * plan.value_ns
    if grouped_ns * 2 > room or reading.refused:  # twice: where one fails, all are evaluated again
        singly += chain.from_iterable(one.numbers for one in plan.together)
    else:
        room -= 2 * grouped_ns
        plan.warm()
        for one in plan.together:
            results = one.results(reading.context)
            if results is None:
                singly += one.numbers
                continue
            for number, result in zip(one.numbers, results, strict=True):
                if result is not False:
                    reasons[number] = MATCHED if result is True else NEITHER
    if singly:
        _one_by_one(plan, reading, index, singly, reasons, room)
    return reasons


def _one_by_one(
    plan: Plan, reading: Reading, index: Index, numbers: list[int], reasons: list[str | None], room: int
) -> None:
    asked = [(number, condition) for number in numbers if (condition := plan.rules[number].condition)]
    runnable: list[tuple[int, Expression, int]] = []
    for number, condition in asked:
        reasons[number] = _unusable(condition, reading, index)
        if reasons[number] is None:
            runnable.append((number, condition, condition.cost.sized_ns(reading.sizes)))
    most = affordable([ns for _, _, ns in runnable], room)
    for number, condition, ns in runnable:
        reasons[number] = _holds(condition, reading) if ns <= most else TOO_DEAR


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
    # Only a trigger that matched speaks for the action: what failed to evaluate never loosens the default.
    default = () if any(fired.reason == MATCHED for _, fired in counted) else (defaults.unmatched,)
    outcome = max((*(fired.then for _, fired in counted), *default), key=STRICTNESS.index)
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


def _fired(
    trigger: Trigger,
    reason: str,
    explanation: str,
    defaults: Defaults,
    values: Mapping[str, Any],
    shows: tuple[str, ...],
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
        shows=shows,
    )


def _unusable(condition: Expression, reading: Reading, index: Index) -> str | None:
    """Return why a condition is not evaluated over these values, None if it can be."""
    if reading.refused:
        for path in (*condition.reads, *condition.asks):
            why = reading.refused.get(index.values.get(path, "")) or reading.refused.get(
                index.presences.get(path, "")
            )
            if why is not None:
                return why
    if reading.missing and condition.is_bare:
        first = condition.reads[0]
        if index.values[first] in reading.missing:  # the engine says so too, in ten times the time
            return f"missing {'.'.join(first)}"
    return _too_long(condition, reading) if condition.list_cap is not None else None


def _holds(condition: Expression, reading: Reading) -> str | None:
    """Return why a condition's trigger fires, None where it does not."""
    try:
        result = condition.program.execute(reading.context)
    # A Rust panic derives from BaseException; whatever the engine does, the trigger fires.
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return failure(error, condition, reading)
    if result is True:
        return MATCHED
    return None if result is False else NEITHER


def _too_long(condition: Expression, reading: Reading) -> str | None:
    cap = condition.list_cap or 0
    for path in condition.reads:
        size = reading.sizes.get(path)
        if size is not None and size.longest > cap:
            return f"error: {'.'.join(path)} has a list of {size.longest} items; rules walk at most {cap}"
    return None
