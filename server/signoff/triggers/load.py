"""Load a policy: text → strict models → compiled rules, or every problem with its line and column.

A policy is one thing or nothing: where anything is wrong, nothing of it is used.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from signoff.domain.canonical import sha256
from signoff.domain.errors import PolicyInvalid
from signoff.domain.near import meant
from signoff.domain.policy import DEFAULT_QUEUE, Defaults, Policy, Trigger
from signoff.domain.verdict import Requirement, Verdict
from signoff.triggers.compile import Index, Rule, index_rules
from signoff.triggers.document import Document, Path, Place, Problem, read_document
from signoff.triggers.expression import Expression, Flaw, Variables, compile_checked, constant_result
from signoff.triggers.fields import Kind, canonical_path
from signoff.triggers.signals.history import Definition, HistorySignal
from signoff.triggers.signals.kinds import KINDS
from signoff.triggers.signals.signal import Signal

MAX_POLICY_BYTES = 256 * 1024
MAX_TRIGGERS = 10_000
MAX_PROBLEMS = 50
"""Problems that one error lists; the rest is counted."""

MAX_SIGNALS = 100
MAX_FIXED_NS = 14_000_000
"""What the triggers for one tool may take whatever is sent, as estimated (`cost.py`): a policy answers within 50 ms,
and what is sent adds at most half of that."""

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy ready to evaluate; never changes."""

    policy: Policy
    index: Index
    signals: Mapping[str, Signal]
    """The declared signals, by name."""
    text: str
    digest: str
    """`sha256:` and 64 hex digits over the text's UTF-8 bytes: what was read is what was hashed, so anybody
    with the file can check it with sha256sum, and a changed comment is another version."""
    source: str
    """What messages call it, usually the file's name."""
    history: Mapping[str, Definition] = field(default_factory=dict)
    """What the declared history signals count, by the signal's name."""
    unmatched: Verdict = field(init=False)
    """The verdict where no trigger fires, which is how most actions are answered."""

    def __post_init__(self) -> None:
        """Make the one verdict that depends on nothing but the policy."""
        object.__setattr__(self, "unmatched", _unmatched(self.policy.defaults, self.digest))

    def needs_history(self, tool: str) -> bool:
        """Say whether an action of a tool is counted by a signal, or judged by one that counts."""
        if not self.history:
            return False
        return any(name in self.history for name in self.index.plan(tool).signals) or any(
            one.counts_tool(tool) for one in self.history.values()
        )


def _unmatched(defaults: Defaults, digest: str) -> Verdict:
    return Verdict(
        outcome=defaults.unmatched,
        fired=(),
        shadow=(),
        policy_digest=digest,
        queue=DEFAULT_QUEUE,
        urgency="normal",
        require=Requirement(),
        approve_within=defaults.approve_within,
        approval_valid_for=defaults.approval_valid_for,
        on_deadline=defaults.on_deadline,
    )


def load_policy(text: str, *, source: str) -> LoadedPolicy:
    """Load a policy from its text.

    Args:
        text: YAML, at most 256 KB in UTF-8.
        source: What messages call it, usually the file's name.

    Raises:
        PolicyInvalid: Lists every problem as `source:line:column: where: what is wrong`, in the file's order.
    """
    found = examine_policy(text, source=source)
    if isinstance(found, LoadedPolicy):
        return found
    lines = [
        f"{source}:{problem.line}:{problem.column}: {problem.message}" for problem in found[:MAX_PROBLEMS]
    ]
    if len(found) > MAX_PROBLEMS:
        lines.append(f"{source}: and {len(found) - MAX_PROBLEMS} more problems")
    raise PolicyInvalid(source, lines)


def examine_policy(text: str, *, source: str) -> LoadedPolicy | list[Problem]:
    """Return a policy from its text, or everything that is wrong with it, in the file's order."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return [Problem(1, 1, "the text is not valid Unicode")]
    if size > MAX_POLICY_BYTES:
        return [Problem(1, 1, f"{size} bytes, at most {MAX_POLICY_BYTES}; use fewer triggers")]
    document = read_document(text)
    if not isinstance(document.value, dict):
        return _ordered(document.problems) or [
            Problem(1, 1, "a policy is a map that begins with 'version: 1'")
        ]
    _keep_conditions_as_text(document)
    loading = _Loading(text, document)
    signals = loading.signals()
    policy = loading.models()
    if policy is None:
        loading.check_conditions()
        return _ordered(document.problems)
    loading.check_names(policy)
    index = loading.rules(policy)
    if not document.problems:
        loading.check_cost(index)
    if document.problems:
        return _ordered(document.problems)
    history = {name: one.definition for name, one in signals.items() if isinstance(one, HistorySignal)}
    return LoadedPolicy(policy, index, signals, text, sha256(text.encode("utf-8")), source, history)


def _ordered(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _keep_conditions_as_text(document: Document) -> None:
    """Give `when: true` back its text; an expression that is also a YAML word or number is no mistake."""
    triggers = document.value.get("triggers")
    for number, trigger in enumerate(triggers if isinstance(triggers, list) else ()):
        place = document.places.get(("triggers", number, "when"))
        if (
            isinstance(trigger, dict)
            and place is not None
            and place.raw
            and not isinstance(trigger["when"], str)
        ):
            trigger["when"] = place.raw


@dataclass(slots=True)
class _Loading:
    """One load in progress: the text, its document, and the problems found so far (in the document)."""

    text: str
    document: Document
    variables: Variables = field(default_factory=Variables)
    compiled: dict[str, Expression | list[Flaw]] = field(default_factory=dict)

    def signals(self) -> dict[str, Signal]:
        """Return the declared signals that hold, and let expressions name all that were meant to be declared."""
        declared = self.document.value.get("signals")
        if not isinstance(declared, dict):
            return {}
        if len(declared) > MAX_SIGNALS:
            self.note(("signals",), f"{len(declared)} signals, at most {MAX_SIGNALS}")
            return {}
        kinds: dict[str, Kind] = {}
        made: dict[str, Signal] = {}
        for name, given in declared.items():
            where: Path = ("signals", name)
            found = _kinds_of(given)
            kinds[name] = KINDS[found[0]].gives if len(found) == 1 else "any"
            if len(found) != 1:
                self.note(where, _no_one_kind(given, found), at_key=True)
                continue
            try:
                made[name] = KINDS[found[0]].model_validate(given)
            except ValidationError as error:
                for one in error.errors(include_url=False):
                    self._model_problem(
                        (*where, *one["loc"]), one["type"], one["msg"], known=KINDS[found[0]].keys()
                    )
        self.variables.signals = kinds
        return made

    def models(self) -> Policy | None:
        triggers = self.document.value.get("triggers")
        if isinstance(triggers, list) and len(triggers) > MAX_TRIGGERS:
            self.note(("triggers",), f"{len(triggers)} triggers, at most {MAX_TRIGGERS}")
            return None
        try:
            return Policy.model_validate(self.document.value)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                self._model_problem(found["loc"], found["type"], found["msg"])
            return None

    def _model_problem(
        self, given: tuple[int | str, ...], kind: str, message: str, *, known: Iterable[str] | None = None
    ) -> None:
        path, at_key = given, False
        if path and path[-1] == "[key]":
            path, at_key = path[:-1], True
        if kind == "extra_forbidden":
            known = list(known) if known is not None else _fields_at(path[:-1])
            what = f"unknown key{meant(str(path[-1]), known)} (known: {', '.join(known)})"
            self.note(path, what, at_key=True)
        elif kind == "missing":
            self.note(path[:-1], f"'{path[-1]}' is missing")
        else:
            self.note(path, _said(kind, message, self.document.places.get(path)), at_key=at_key)

    def check_conditions(self) -> None:
        """Check the expressions of a policy whose models do not hold, so that one run shows every mistake."""
        triggers = self.document.value.get("triggers")
        for number, trigger in enumerate(triggers if isinstance(triggers, list) else ()):
            when = trigger.get("when") if isinstance(trigger, dict) else None
            if isinstance(when, str) and when:
                self.expression(when, ("triggers", number, "when"), 0)

    def check_names(self, policy: Policy) -> None:
        """Check what names something else: ids, queues, suppressed triggers, tiers."""
        first: dict[str, int] = {}
        for number, trigger in enumerate(policy.triggers):
            where: Path = ("triggers", number)
            if trigger.id in first:
                line = self.document.places["triggers", first[trigger.id], "id"].line
                self.note((*where, "id"), f"the id '{trigger.id}' is already used on line {line}")
            first.setdefault(trigger.id, number)
            queues = [*policy.queues, DEFAULT_QUEUE]
            if trigger.queue is not None and trigger.queue not in queues:
                self.note(
                    (*where, "queue"),
                    f"no queue '{trigger.queue}' under queues:{meant(trigger.queue, queues)}",
                )
            if trigger.suppresses and trigger.then != "allow":
                self.note((*where, "suppresses"), "only a trigger with 'then: allow' suppresses others")
        for number, trigger in enumerate(policy.triggers):
            for place, name in enumerate(trigger.suppresses):
                target = first.get(name)
                path: Path = ("triggers", number, "suppresses", place)
                if target is None:
                    self.note(path, f"no trigger has the id '{name}'{meant(name, first)}")
                elif policy.triggers[target].then == "allow":
                    self.note(path, f"'{name}' allows; only triggers that escalate or deny can be suppressed")
        for queue, tiers in ((name, made.tiers) for name, made in policy.queues.items()):
            for place, tier in enumerate(tiers):
                path = ("queues", queue, "tiers", place)
                earlier = tiers[place - 1].after if place > 1 else None
                if place == 0 and tier.after is not None:
                    self.note((*path, "after"), "the first tier is alerted at once; leave 'after' out")
                elif place == 0 and tier.ack_for is not None:
                    self.note((*path, "ack_for"), "nothing holds the first tier off; write it in a later one")
                elif place > 0 and tier.after is None:
                    self.note(
                        path, "'after' is missing: how long after the case was opened this tier is alerted"
                    )
                elif tier.after is not None and earlier is not None and tier.after <= earlier:
                    self.note((*path, "after"), "must be longer than the tier before it")

    def rules(self, policy: Policy) -> Index:
        made: list[Rule] = []
        for number, trigger in enumerate(policy.triggers):
            where: Path = ("triggers", number)
            condition = None
            if trigger.when is not None:
                condition = self.expression(trigger.when, (*where, "when"), 0)
                if condition is not None:
                    result = constant_result(condition)
                    if not condition.reads and not condition.asks and not isinstance(result, bool):
                        self.note((*where, "when"), "reads nothing and gives neither true nor false")
            made.append(Rule(trigger, condition, self.template(policy, trigger, (*where, "explain"))))
        return index_rules(tuple(made), values=self.variables.values, presences=self.variables.present)

    def check_cost(self, index: Index) -> None:
        """Refuse a policy whose rules for one tool take too long, however little an agent sends."""
        found = index.dearer_than(MAX_FIXED_NS)
        if found is None:
            return
        ns, rules = found
        dearest = max(rules, key=lambda rule: rule.fixed_ns)
        number = index.rules.index(dearest)
        self.note(
            ("triggers", number),
            f"the {len(rules)} triggers that may apply to one tool take up to {ns / 1e6:.0f} ms,"
            f" at most {MAX_FIXED_NS // 1_000_000} ms; '{dearest.trigger.id}' takes most, {dearest.fixed_ns / 1e6:.2f} ms."
            " Name the tools that each trigger is for, and match with fewer or shorter patterns",
        )

    def template(self, policy: Policy, trigger: Trigger, where: Path) -> tuple[str | Expression, ...]:
        text = trigger.explain
        if text is None:
            return ()
        parts: list[str | Expression] = []
        at = 0
        for found in _TEMPLATE.finditer(text):
            parts.append(text[at : found.start()])
            expression = self.expression(found[1], where, found.start(1))
            at = found.end()
            if expression is None:
                continue
            for path in expression.reads:
                hidden = _masked_by(policy, canonical_path(path))
                if hidden:
                    self.note(where, f"shows {'.'.join(path)}, which the mask {hidden} hides; leave it out")
            parts.append(expression)
        parts.append(text[at:])
        if any(isinstance(part, str) and ("{{" in part or "}}" in part) for part in parts):
            self.note(where, "{{ and }} do not pair up")
        return tuple(part for part in parts if part != "")

    def expression(self, text: str, where: Path, offset: int) -> Expression | None:
        """Compile an expression that stands `offset` characters into the value at `where`."""
        known = self.compiled.get(text)
        if known is None:
            known = self.compiled[text] = compile_checked(text, self.variables)
        if isinstance(known, Expression):
            return known
        for flaw in known:
            place = self._place_in(where, offset + flaw.at)
            self.document.note(place, f"{_shown(where)}: {flaw.message}")
        return None

    def note(self, path: Path, message: str, *, at_key: bool = False) -> None:
        """Add a problem at the innermost part of a path that stands in the text."""
        places = self.document.keys if at_key else self.document.places
        place, inner = places.get(path), path
        while place is None and inner:
            inner = inner[:-1]
            place = self.document.places.get(inner)
        self.document.note(place or Place(1, 1), f"{_shown(path) or 'policy'}: {message}")

    def _place_in(self, where: Path, offset: int) -> Place:
        """Return the line and column of a character of a value, or of its start where that cannot be known.

        Known where the value stands in the text letter for letter: plain and quoted on one line without escapes,
        and literal blocks.
        """
        start = self.document.places.get(where, Place(1, 1))
        lines = self.text.split("\n")
        value = start.raw or ""
        if start.style in (None, "'", '"'):
            column = start.column + (1 if start.style else 0)
            if lines[start.line - 1][column - 1 :].startswith(value):
                return Place(start.line, column + offset)
        elif start.style == "|":
            before = value[:offset]
            line = start.line + 1 + before.count("\n")
            in_line = len(before) - (before.rfind("\n") + 1)
            written = lines[line - 1] if line <= len(lines) else ""
            content = value.split("\n")[before.count("\n")]
            if content and written.endswith(content):
                return Place(line, len(written) - len(content) + in_line + 1)
        return start


def _kinds_of(given: Any) -> list[str]:
    return [key for key in given if key in KINDS] if isinstance(given, dict) else []


def _no_one_kind(given: Any, found: list[str]) -> str:
    if len(found) > 1:
        return f"is {' and '.join(found)} at once; declare one signal for each"
    first = str(next(iter(given), "")) if isinstance(given, dict) else ""
    if not first:
        return f"declare it by its kind, such as {{count: true, over: 10m}} (kinds: {', '.join(KINDS)})"
    return f"there is no kind of signal '{first[:60]}'{meant(first, KINDS)} (kinds: {', '.join(KINDS)})"


def _masked_by(policy: Policy, path: tuple[str, ...]) -> str | None:
    """Return the mask that hides a path, part of it, or what it lies in."""
    return next((mask.path for mask in policy.masks if mask.touches(path)), None)


def _shown(path: Path) -> str:
    made = ""
    for step in path:
        made += f"[{step}]" if isinstance(step, int) else f".{step[:60]}" if made else step[:60]
    return made


def _said(kind: str, message: str, place: Place | None) -> str:
    """Return pydantic's complaint in the words of somebody who edits a file."""
    if kind == "string_type" and place is not None and place.raw is not None and place.style is None:
        return f'must be text: put it in quotes, "{place.raw[:60]}"'
    if kind == "literal_error":
        options = message.removeprefix("Input should be ").replace("'", "").split(" or ")
        allowed = [option for part in options for option in part.split(", ")]
        raw = place.raw if place is not None and place.raw is not None else ""
        return f"'{raw[:60]}' is not one of {', '.join(allowed)}{meant(raw, allowed)}"
    said = message.removeprefix("Value error, ")
    return {
        "tuple_type": "must be a list",
        "dict_type": "must be a map",
        "model_type": "must be a map",
        "model_attributes_type": "must be a map",
        "bool_type": "must be true or false",
        "int_type": "must be a whole number",
        "string_type": "must be text",
    }.get(kind, said[:1].lower() + said[1:])


def _fields_at(path: Path) -> list[str]:
    """Return the keys that the model at a path knows, for suggestions."""
    annotation: Any = Policy
    for step in path:
        annotation = _inside(annotation, step)
    model = _model(annotation)
    return list(model.model_fields) if model else []


def _inside(annotation: Any, step: str | int) -> Any:
    model = _model(annotation)
    if model is not None:
        found = model.model_fields.get(str(step))
        return found.annotation if found else None
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [_inside(option, step) for option in get_args(annotation) if option is not types.NoneType]
        return next((option for option in inner if option is not None), None)
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1]
    return arguments[0] if arguments else None


def _model(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in (Union, types.UnionType):
        return next(filter(None, map(_model, get_args(annotation))), None)
    if hasattr(annotation, "__metadata__"):
        return _model(annotation.__origin__)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
