"""Table tests of a policy: actions as agents would send them, and what the policy must say of each.

    cases:
      - name: a large refund of a stranger waits for a supervisor
        action: {tool: refund_order, arguments: {amount: 900}}
        bundle: {subject: {id: c1}}
        history: {refunds_24h: 1200}      # the value of a signal, instead of computing it
        expect:
          verdict: escalate
          triggers: [large-refund]        # exactly these
          require: {role: supervisor}     # what is named here; the rest may be anything

Loaded as strictly as the policy: an unknown key, trigger or signal is an error with its line and column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from signoff.domain.errors import InvalidRequest
from signoff.domain.policy import Line
from signoff.domain.verdict import Outcome, Urgency, Verdict
from signoff.triggers.document import Document, Path, Place, Problem, read_document
from signoff.triggers.evaluate import MATCHED, evaluate
from signoff.triggers.facts import Facts
from signoff.triggers.fields import meant
from signoff.triggers.given import with_values
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.situations import GivenAgent, GivenSession, Situation, path_of_field

MAX_TABLE_BYTES = 1024 * 1024
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""The time of a case that says none: a Monday at noon, inside anybody's working hours in Europe."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ExpectedRequirement(_Part):
    """What an approval must bring; what is not named may be anything."""

    role: Literal["operator", "supervisor"] | None = None
    approvals: StrictInt | None = None
    assurance: Literal["client", "link", "session", "passkey"] | None = None
    separation: StrictBool | None = None
    reason: StrictBool | None = None


class Expectation(_Part):
    """What the policy must say; what is not named may be anything."""

    verdict: Outcome
    triggers: tuple[str, ...] | None = None
    """Exactly these fire, in any order; those in shadow mode aside."""
    includes: tuple[str, ...] = ()
    """These fire, whatever else does."""
    excludes: tuple[str, ...] = ()
    """These do not fire."""
    shadow: tuple[str, ...] | None = None
    """Exactly these would have fired in shadow mode."""
    queue: str | None = None
    urgency: Urgency | None = None
    require: ExpectedRequirement = ExpectedRequirement()
    reason: dict[str, str] = Field(default_factory=dict)
    """Why a trigger fires, where it is not `matched`: `{unsure: missing confidence}`. One that fires because something
    is missing or fails, and is not named here, fails the case: such a test passes for the wrong reason."""


class Case(Situation):
    """One situation and what the policy must say of it."""

    name: Line
    expect: Expectation


class _Table(_Part):
    cases: Annotated[tuple[Case, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class ReadyCase:
    """A case that can be run."""

    case: Case
    facts: Facts
    line: int
    """Where it stands."""


class TableInvalid(InvalidRequest):
    """Table tests that cannot be run; `problems` have their positions."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        lines = "\n".join(f"  {source}:{one.line}:{one.column}: {one.message}" for one in problems)
        super().__init__(f"{source} holds no tests that can be run:\n{lines}")
        self.source = source
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One expectation that does not hold."""

    what: str
    expected: str
    got: str
    """Both empty where `missing` and `unexpected` say it."""
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Ran:
    """A case that was run."""

    ready: ReadyCase
    verdict: Verdict
    mismatches: tuple[Mismatch, ...]


def read_table(text: str, policy: LoadedPolicy, *, source: str) -> tuple[ReadyCase, ...]:
    """Load table tests for a policy.

    Raises:
        TableInvalid: Lists every problem.
    """
    if len(text.encode("utf-8", "replace")) > MAX_TABLE_BYTES:
        raise TableInvalid(source, [Problem(1, 1, f"more than {MAX_TABLE_BYTES} bytes; use several files")])
    document = read_document(text)
    if not isinstance(document.value, dict):
        if not document.problems:
            document.note(Place(1, 1), "a table is a map with 'cases:'")
        raise TableInvalid(source, document.problems)
    ready: list[ReadyCase] = []
    try:
        table = _Table.model_validate(document.value)
    except ValidationError as error:
        found = error.errors(include_url=False)
        for one in found:
            # A list of which every item is wrong is also too short for pydantic.
            if one["type"] != "too_short" or len(found) == 1:
                _note(document, one["loc"], one["type"], one["msg"])
    else:
        ready = [made for number, case in enumerate(table.cases) if (made := _ready(document, number, case))]
        _check_names(document, table, policy)
    if document.problems:
        raise TableInvalid(source, sorted(document.problems, key=lambda one: (one.line, one.column)))
    return tuple(ready)


def _note(document: Document, path: Path, kind: str, message: str) -> None:
    what = message.removeprefix("Value error, ")
    if kind == "missing":
        path, what = path[:-1], f"'{path[-1]}' is missing"
    elif kind == "too_short":
        what = "needs one case at least"
    elif kind == "extra_forbidden":
        what = f"unknown key{meant(str(path[-1]), _fields_at(path[:-1]))}"
        document.note(document.keys.get(path, Place(1, 1)), f"{_shown(path)}: {what}")
        return
    document.note(_nearest(document, path), f"{_shown(path)}: {what[:1].lower()}{what[1:]}")


def _fields_at(path: Path) -> list[str]:
    """Return the keys that are known where an unknown one stands."""
    names = [step for step in path if isinstance(step, str)]
    known: dict[str, type[BaseModel]] = {
        "": _Table, "cases": Case, "agent": GivenAgent, "session": GivenSession, "expect": Expectation,
        "require": ExpectedRequirement,
    }  # fmt: skip
    model = known.get(names[-1] if names else "")
    return list(model.model_fields) if model else []


def _shown(path: Path) -> str:
    made = "".join(f"[{step}]" if isinstance(step, int) else f".{step[:60]}" for step in path)
    return made.removeprefix(".") or "table"


def _nearest(document: Document, path: Path) -> Place:
    while path and path not in document.places:
        path = path[:-1]
    return document.places.get(path, Place(1, 1))


def _ready(document: Document, number: int, case: Case) -> ReadyCase | None:
    where: Path = ("cases", number)
    try:
        facts = case.facts(now=NOON)
    except InvalidRequest as error:
        place = _nearest(document, (*where, *path_of_field(error.field)))
        document.note(place, f"{_shown(where)}: {error.message}")
        return None
    return ReadyCase(case, facts, document.places[where].line)


def _check_names(document: Document, table: _Table, policy: LoadedPolicy) -> None:
    triggers = {trigger.id for trigger in policy.policy.triggers}
    queues = {*policy.policy.queues, "default"}
    first: dict[str, int] = {}
    for number, case in enumerate(table.cases):
        where: Path = ("cases", number)
        if case.name in first:
            line = document.places["cases", first[case.name], "name"].line
            document.note(
                document.places[(*where, "name")], f"{_shown(where)}: the name is already used on line {line}"
            )
        first.setdefault(case.name, number)
        expect = case.expect
        for key, names in (
            ("triggers", expect.triggers or ()),
            ("includes", expect.includes),
            ("excludes", expect.excludes),
            ("shadow", expect.shadow or ()),
        ):
            for place, name in enumerate(names):
                _check(document, (*where, "expect", key, place), name, triggers, "trigger")
        for name in expect.reason:
            _check(document, (*where, "expect", "reason", name), name, triggers, "trigger")
        for name in case.history:
            _check(document, (*where, "history", name), name, policy.signals, "signal")
        if expect.queue is not None:
            _check(document, (*where, "expect", "queue"), expect.queue, queues, "queue")


def _check(document: Document, path: Path, name: str, known: Iterable[str], what: str) -> None:
    known = sorted(known)
    if name not in known:
        place = document.keys.get(path) if isinstance(path[-1], str) and path[-1] == name else None
        place = place or _nearest(document, path)
        document.note(
            place, f"{_shown(path[:-1])}: the policy has no {what} '{name[:60]}'{meant(name, known)}"
        )


def run_case(policy: LoadedPolicy, ready: ReadyCase) -> Ran:
    """Evaluate one case and compare."""
    case = ready.case
    verdict = evaluate(with_values(policy, case.history), ready.facts)
    return Ran(ready, verdict, tuple(_mismatches(case.expect, verdict)))


def _mismatches(expect: Expectation, verdict: Verdict) -> Iterable[Mismatch]:
    if verdict.outcome != expect.verdict:
        yield Mismatch("verdict", expect.verdict, verdict.outcome)
    fired = {one.trigger for one in verdict.fired}
    if expect.triggers is not None:
        yield from _difference("triggers", set(expect.triggers), fired)
    yield from _difference("includes", set(expect.includes), fired & set(expect.includes))
    yield from _difference("excludes", set(), fired & set(expect.excludes))
    if expect.shadow is not None:
        yield from _difference("shadow", set(expect.shadow), {one.trigger for one in verdict.shadow})
    if expect.queue is not None and verdict.queue != expect.queue:
        yield Mismatch("queue", expect.queue, verdict.queue)
    if expect.urgency is not None and verdict.urgency != expect.urgency:
        yield Mismatch("urgency", expect.urgency, verdict.urgency)
    got = verdict.require.as_json()
    for name, wanted in expect.require.model_dump(exclude_none=True).items():
        if got[name] != wanted:
            yield Mismatch(f"require.{name}", _word(wanted), _word(got[name]))
    reasons = {one.trigger: one.reason for one in (*verdict.fired, *verdict.shadow)}
    for trigger in sorted({*reasons, *expect.reason}):
        wanted, reason = expect.reason.get(trigger, MATCHED), reasons.get(trigger, "did not fire")
        if wanted != reason:
            hint = "" if trigger in expect.reason else _hint(trigger, reason)
            yield Mismatch(f"reason of {trigger}", wanted, reason, hint=hint)


def _hint(trigger: str, reason: str) -> str:
    meant = f"if that is meant, write reason: {{{trigger}: {reason}}}"
    signal = reason.removeprefix("missing signals.")
    return meant if signal == reason else f"give it a value, history: {{{signal}: …}}; {meant}"


def _difference(what: str, wanted: set[str], got: set[str]) -> Iterable[Mismatch]:
    if wanted != got:
        yield Mismatch(what, "", "", tuple(sorted(wanted - got)), tuple(sorted(got - wanted)))


def _word(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def coverage(policy: LoadedPolicy, ran: Iterable[Ran]) -> Mapping[str, int]:
    """Return in how many cases each trigger fired, in the policy's order."""
    counted = Counter(
        name for one in ran for name in {fired.trigger for fired in (*one.verdict.fired, *one.verdict.shadow)}
    )
    return {trigger.id: counted[trigger.id] for trigger in policy.policy.triggers}
