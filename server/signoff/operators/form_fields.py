"""The fields of a form, made from a JSON Schema and, where there is one, the value that it changes.

Names of fields say where they stand (`r_1_i0_2`), never what the schema's author calls them: labels are the agent's words
and are shown as such. What no field can hold becomes one field for JSON, with that part of the schema beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from html import escape
from typing import Any, Literal

from signoff.desk.masks import holds_hidden, is_hidden
from signoff.domain.characters import Piece, count_marked, pieces
from signoff.operators.form_schema import Part, Rule, inferred, part_of
from signoff.operators.present import json_text

MAX_FIELDS = 150
MAX_ITEMS = 50
"""Of one list; a longer one is asked for as JSON."""
MAX_WEIGHT = 50_000
"""Characters of HTML that a schema may turn into. Titles are repeated at every item of a list, and a hidden character takes
a hundred characters to show: a schema of 64 KB can make a page of 40 MB."""
FIELD_CHARS, OPTION_CHARS, MARK_CHARS = 280, 40, 100
"""What one field, one option and one mark take beside their words."""
MAX_DEFAULT_CHARS = 80
MAX_DEPTH = 5
LINE_CHARS = 80
BLANK = "x"
"""Stands for the number of an item that is not there yet, in the fields that a script copies."""

ItemKind = Literal["text", "number", "integer"]
FieldKind = Literal[
    "line", "text", "number", "integer", "yes_no", "choice", "choices", "list", "date", "datetime", "group", "rows",
    "variant", "fixed", "kept", "json",
]  # fmt: skip
"""`fixed`: the schema allows one value. `kept`: the policy hides the value from this person, so it stays as it is."""

_ITEM_KINDS: Mapping[str, ItemKind] = {"string": "text", "number": "number", "integer": "integer"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?)Z")

Sent = Mapping[str, tuple[str, ...]]


class Nothing:
    """Stands for a value that is not there, which is not the same as null."""


NOTHING = Nothing()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a value must satisfy, as far as a form says it before the value is sent; None for no limit."""

    minimum: int | float | None = None
    maximum: int | float | None = None
    above: int | float | None = None
    below: int | float | None = None
    step: int | float | None = None
    min_chars: int | None = None
    max_chars: int | None = None
    min_items: int | None = None
    max_items: int | None = None


@dataclass(frozen=True, slots=True)
class When:
    """Under which choice of another field something counts."""

    name: str
    label: tuple[Piece, ...]
    values: tuple[str, ...]
    """What the other field sends; empty: anything."""
    value_labels: tuple[tuple[Piece, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One part of a value as a form field."""

    name: str
    path: str
    """As the desk names it in errors: `response.amount`, `arguments.lines[0].price`."""
    label: tuple[Piece, ...]
    help: tuple[Piece, ...]
    kind: FieldKind
    required: bool
    key: str = ""
    options: tuple[Any, ...] = ()
    """The values of a choice; the form sends their positions."""
    option_labels: tuple[tuple[Piece, ...], ...] = ()
    item_kind: ItemKind = "text"
    members: tuple[Field, ...] = ()
    """Of a group its members, of rows the items, of a variant one group for each option."""
    schema_text: str = ""
    schema_at: str = ""
    """Where the schema stands in the case's document, for a page of its own; empty where it stands beside the field."""
    sent: tuple[str, ...] = ()
    """What stands in the field: what the person sent last time, or the value before, or the schema's default."""
    was_sent: bool = False
    before: Any = NOTHING
    """The value that the form changes."""
    before_text: tuple[str, ...] = ()
    """That value as the field shows it."""
    nullable: bool = False
    unit: tuple[Piece, ...] = ()
    limits: Limits = Limits()
    when: When | None = None
    """Where it counts at all; None: always."""
    needed_when: When | None = None
    """Where it is needed, though not always."""
    blank: Field | None = None
    """Of rows: an item that is not there yet."""

    @property
    def there(self) -> bool:
        """Say whether the form changes a value that was there before."""
        return self.before is not NOTHING

    @property
    def value(self) -> str:
        """Return what stands in a field of one value."""
        return self.sent[0] if self.sent else ""

    @property
    def original(self) -> str:
        """Return what stood there at first."""
        return self.before_text[0] if self.before_text else ""

    @property
    def items(self) -> tuple[str, ...]:
        """Return the numbers of the items of rows."""
        return tuple(one.name.rpartition("_i")[2] for one in self.members)


def count(field: Field) -> int:
    """Return how many fields there are below and with one."""
    return 1 + sum(map(count, field.members))


def weight(field: Field) -> int:
    """Return about how much HTML a field takes by what its schema's author wrote, in characters; never much less."""
    labels = [field.label, field.help, *field.option_labels, field.unit]
    for when in filter(None, (field.when, field.needed_when)):
        labels += [when.label, *when.value_labels]
    each = 2 if field.kind == "variant" else 1
    made = FIELD_CHARS + each * sum(map(_chars, labels)) + _chars(pieces(field.schema_text))
    made += OPTION_CHARS * len(field.option_labels)
    made += sum(8 * len(when.values) for when in (field.when, field.needed_when) if when)
    items = [*field.members, field.blank] if field.blank is not None else field.members
    if field.kind == "rows":
        made += len(items) * (FIELD_CHARS + 2 * _chars(field.label)) + _chars(field.label)
    return made + sum(map(weight, items))


def _chars(some: tuple[Piece, ...]) -> int:
    return sum(len(escape(one.text)) + (MARK_CHARS if one.mark else 0) for one in some)


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes the fields of one form."""

    root: Mapping[str, Any]
    """The whole schema."""
    sent: Sent
    titles: bool
    """Label fields by the schema's titles; otherwise by the names that the agent will send."""

    def field(
        self,
        schema: Any,
        name: str,
        path: str,
        key: str,
        *,
        required: bool,
        value: Any = NOTHING,
        depth: int = 0,
    ) -> Field:
        """Return the field of a part of the schema."""
        if is_hidden(value):
            label = pieces(key)
            return Field(name, path, label, (), "kept", required, key, before=value)
        part = part_of(schema, self.root)
        made = None if part is None else self._shown(part, name, path, key, required, value, depth)
        if made is None and value is not NOTHING:
            guess = Part(inferred(value))
            made = self._shown(guess, name, path, key, required, value, depth)
        return made or self.as_json(schema, name, path, key, required=required, value=value)

    def _shown(
        self, part: Part, name: str, path: str, key: str, required: bool, value: Any, depth: int
    ) -> Field | None:
        """Return the field of a part; None where its value would not fit in it."""
        plain = part.plain
        label, help_ = self._words(plain, key)
        base = Field(
            name, path, label, help_, "json", required, key,
            before=value, nullable=part.nullable, unit=_unit(plain), limits=_limits(plain),
        )  # fmt: skip
        if part.nullable and value is None:
            value = NOTHING
        if part.variants:
            return self._variant(part, base, value, depth)
        if "const" in plain or (isinstance(plain.get("enum"), list) and plain["enum"]):
            return self._choice(plain, base, value)
        match plain.get("type"):
            case "string":
                return self._text(plain, base, value)
            case "number" | "integer" as kind:
                fits = isinstance(value, (int, float)) and not isinstance(value, bool)
                return self._leaf(plain, replace(base, kind=kind), value, fits=fits, text=json.dumps)
            case "boolean":
                fits = isinstance(value, bool)
                return self._leaf(plain, replace(base, kind="yes_no"), value, fits=fits, text=json.dumps)
            case "array":
                return self._list(plain, base, value, depth)
            case "object" if depth < MAX_DEPTH and plain.get("properties"):
                return self._group(part, base, value, depth)
            case _:
                return None

    def _leaf(
        self, plain: Mapping[str, Any], base: Field, value: Any, *, fits: bool, text: Any
    ) -> Field | None:
        if value is NOTHING:
            before: tuple[str, ...] = ()
            start = before if base.before is None else _default(plain)
        elif not fits:
            return None
        else:
            start = before = (text(value),)
        return replace(
            base,
            sent=self.sent.get(base.name, start),
            was_sent=base.name in self.sent,
            before_text=before,
        )

    def _text(self, plain: Mapping[str, Any], base: Field, value: Any) -> Field | None:
        kind: FieldKind = "text" if plain.get("maxLength", 200) > 200 else "line"
        text: Any = str
        if isinstance(value, str):
            kind = "text" if len(value) > LINE_CHARS or not value.isprintable() else "line"
        if plain.get("format") == "date" and (value is NOTHING or _is_date(value)):
            kind = "date"
        elif plain.get("format") == "date-time" and (value is NOTHING or _local(value) is not None):
            kind, text = "datetime", _local
        return self._leaf(plain, replace(base, kind=kind), value, fits=isinstance(value, str), text=text)

    def _choice(self, plain: Mapping[str, Any], base: Field, value: Any) -> Field | None:
        options = tuple([plain["const"]] if "const" in plain else plain["enum"])
        titles = plain.get("titles", [])
        labels = tuple(
            pieces(titles[at])
            if at < len(titles) and isinstance(titles[at], str) and titles[at]
            else _option(one)
            for at, one in enumerate(options)
        )
        found = _position(options, value)
        if value is not NOTHING and found is None:
            return None
        before = () if found is None else (str(found),)
        start = before or _positions(plain, options)
        return replace(
            base, kind="choice", options=options, option_labels=labels,
            sent=self.sent.get(base.name, start), was_sent=base.name in self.sent, before_text=before,
        )  # fmt: skip

    def _list(self, plain: Mapping[str, Any], base: Field, value: Any, depth: int) -> Field | None:
        if value is not NOTHING and not isinstance(value, list):
            return None
        held = list(value) if isinstance(value, list) else []
        items = part_of(plain.get("items"), self.root)
        if items is None or items.nullable:
            return None
        options = items.plain.get("enum")
        if isinstance(options, list) and options:
            return self._choices(items.plain, base, tuple(options), held)
        kind = _ITEM_KINDS.get(str(items.plain.get("type")))
        if kind is not None and all(_is_line(one, kind) for one in held):
            before = () if value is NOTHING else ("\n".join(map(_line, held)),)
            return replace(
                base, kind="list", item_kind=kind,
                sent=self.sent.get(base.name, before), was_sent=base.name in self.sent, before_text=before,
            )  # fmt: skip
        if depth >= MAX_DEPTH or not (items.plain.get("properties") or items.variants or kind):
            return None
        return self._rows(plain["items"], base, held, depth)

    def _choices(
        self, plain: Mapping[str, Any], base: Field, options: tuple[Any, ...], held: list[Any]
    ) -> Field | None:
        places = [_position(options, one) for one in held]
        if None in places or places != sorted(set(places), key=lambda at: at or 0):
            return None  # a browser sends ticks in the order of the page
        before = tuple(map(str, places))
        shown = f"{base.name}_items" in self.sent or base.name in self.sent
        return replace(
            base, kind="choices", options=options, option_labels=tuple(map(_option, options)),
            sent=self.sent.get(base.name, ()) if shown else before, was_sent=shown, before_text=before,
        )  # fmt: skip

    def _rows(self, items: Any, base: Field, held: list[Any], depth: int) -> Field | None:
        marks = self.sent.get(f"{base.name}_items")
        numbers = [one for one in marks if re.fullmatch(r"[0-9]{1,3}", one)] if marks is not None else None
        if numbers is None:
            least = min(base.limits.min_items or 0, MAX_ITEMS) if base.before is NOTHING else 0
            numbers = [str(at) for at in range(max(len(held), least))]
        if len(numbers) > MAX_ITEMS:
            return None

        def item(number: str, path: str) -> Field:
            at = int(number) if number != BLANK else len(held)
            return self.field(
                items, f"{base.name}_i{number}", path, "",
                required=True, value=held[at] if at < len(held) else NOTHING, depth=depth + 1,
            )  # fmt: skip

        made = tuple(item(number, f"{base.path}[{at}]") for at, number in enumerate(dict.fromkeys(numbers)))
        blank = item(BLANK, f"{base.path}[]")
        return replace(base, kind="rows", members=made, blank=blank, was_sent=marks is not None)

    def _group(self, part: Part, base: Field, value: Any, depth: int) -> Field | None:
        if value is not NOTHING and not isinstance(value, Mapping):
            return None
        held: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        named = part.plain.get("properties", {})
        extra = {key: one for rule in part.rules for key, one in rule.properties.items() if key not in named}
        needed = part.plain.get("required", [])
        keys = _ordered(held, [*named, *extra], needed if isinstance(needed, list) else [])
        # By the place in the schema, so that a name stays the same however the fields are ordered.
        places = {key: at for at, key in enumerate(dict.fromkeys([*held, *named, *extra]))}
        made = {}
        for key in keys:
            name = f"{base.name}_{places[key]}"
            made[key] = self.field(
                named.get(key, extra.get(key, {})), name, _member(base.path, key), key,
                required=key in needed, value=held.get(key, NOTHING), depth=depth + 1,
            )  # fmt: skip
        for rule in part.rules:
            whens = _when(rule, made)
            if whens is None:
                return None
            for key in dict.fromkeys([*rule.properties, *rule.required]):
                if key not in made:
                    return None
                if key in extra and made[key].when is None:
                    made[key] = replace(made[key], when=whens, required=key in rule.required)
                elif key in rule.required and not made[key].required:
                    made[key] = replace(made[key], needed_when=whens)
        return replace(base, kind="group", members=tuple(made.values()))

    def _variant(self, part: Part, base: Field, value: Any, depth: int) -> Field | None:
        if depth >= MAX_DEPTH or value is not NOTHING:
            return None  # which of them a value is, is not ours to guess
        labels, groups = [], []
        for at, one in enumerate(part.variants):
            title = one.plain.get("title")
            labels.append(pieces(title if isinstance(title, str) and title else _called(one.plain, at)))
            group = self._group(
                one, replace(base, name=f"{base.name}_v{at}", key="", help=(), before=NOTHING), NOTHING, depth
            )
            if group is None:
                return None
            when = When(base.name, base.label, (str(at),), (labels[-1],))
            members = tuple(_fixed(member) for member in group.members)
            groups.append(replace(group, when=when, members=members, required=True))
        return replace(
            base, kind="variant", options=tuple(range(len(groups))), option_labels=tuple(labels),
            members=tuple(groups), sent=self.sent.get(base.name, ()), was_sent=base.name in self.sent,
        )  # fmt: skip

    def as_json(self, schema: Any, name: str, path: str, key: str, *, required: bool, value: Any) -> Field:
        """Return one field for a whole part, as JSON, with the schema beside it."""
        label, help_ = self._words(schema if isinstance(schema, Mapping) else {}, key)
        before = () if value is NOTHING else (json_text(value),)
        if holds_hidden(value):
            return Field(name, path, label, help_, "kept", required, key, before=value)
        return Field(
            name, path, label, help_, "json", required, key,
            schema_text=json_text(schema) if schema else "", sent=self.sent.get(name, before),
            was_sent=name in self.sent, before=value, before_text=before,
        )  # fmt: skip

    def _words(self, schema: Mapping[str, Any], key: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        title, description = schema.get("title"), schema.get("description")
        named = self.titles and isinstance(title, str) and title
        return (
            pieces(title if named and isinstance(title, str) else key),
            pieces(description) if isinstance(description, str) else (),
        )


def _ordered(held: Mapping[str, Any], named: Iterable[str], needed: list[Any]) -> list[str]:
    """Return keys in the value's order, then those that are needed, in the author's order, then the others.

    A stored schema has its keys in the order of the alphabet; `required` keeps the agent's own.
    """
    return list(dict.fromkeys([*held, *(key for key in needed if key in set(named)), *named]))


def _member(path: str, key: str) -> str:
    return f"{path}.{key}"


def _when(rule: Rule, fields: Mapping[str, Field]) -> When | None:
    """Return the condition of a rule on a sibling; None where no field of the form decides it."""
    field = fields.get(rule.member)
    if field is None:
        return None
    if not rule.values:
        return When(field.name, field.label, ())
    if field.kind == "choice":
        every = [
            (str(at), one, label)
            for at, (one, label) in enumerate(zip(field.options, field.option_labels, strict=True))
        ]
    elif field.kind == "yes_no":
        every = [("true", True, pieces("yes")), ("false", False, pieces("no"))]
    else:
        return None
    chosen = [
        (text, label)
        for text, one, label in every
        if (_position(rule.values, one) is not None) != rule.negated
    ]
    if not chosen:
        return None
    blank = ("",) if rule.without != rule.negated else ()
    return When(
        field.name, field.label, (*(text for text, _ in chosen), *blank), tuple(label for _, label in chosen)
    )


def _fixed(member: Field) -> Field:
    """Return a member that tells variants apart without asking: there is one value to choose."""
    if member.kind == "choice" and len(member.options) == 1 and member.required:
        return replace(member, kind="fixed")
    return member


def _called(plain: Mapping[str, Any], at: int) -> str:
    for one in plain.get("properties", {}).values():
        if isinstance(one, Mapping) and isinstance(one.get("const"), str):
            return str(one["const"])
    return str(at + 1)


def _position(options: tuple[Any, ...], value: Any) -> int | None:
    """Return where a value stands among some; True is not 1 there."""
    for at, one in enumerate(options):
        if one == value and isinstance(one, bool) == isinstance(value, bool):
            return at
    return None


def _positions(schema: Mapping[str, Any], options: tuple[Any, ...]) -> tuple[str, ...]:
    found = _position(options, schema["default"]) if "default" in schema else None
    return () if found is None else (str(found),)


def _option(value: Any) -> tuple[Piece, ...]:
    return pieces(value if isinstance(value, str) else json_text(value))


def _default(schema: Mapping[str, Any]) -> tuple[str, ...]:
    if "default" not in schema:
        return ()
    value = schema["default"]
    text = value if isinstance(value, str) else json_text(value)
    # The agent's words, which become the person's: only where a field shows all of them as they are.
    readable = len(text) <= MAX_DEFAULT_CHARS and text.isprintable() and not count_marked(pieces(text))
    return (text,) if readable else ()


def _unit(schema: Mapping[str, Any]) -> tuple[Piece, ...]:
    """Return the unit of a number; JSON Schema has no word for it, these two are in use."""
    unit = schema.get("unit", schema.get("x-unit"))
    return pieces(unit[:20]) if isinstance(unit, str) else ()


def _limits(schema: Mapping[str, Any]) -> Limits:
    def number(key: str) -> int | float | None:
        value = schema.get(key)
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def whole(key: str) -> int | None:
        value = number(key)
        return int(value) if value is not None else None

    return Limits(
        number("minimum"), number("maximum"), number("exclusiveMinimum"), number("exclusiveMaximum"),
        number("multipleOf"), whole("minLength"), whole("maxLength"), whole("minItems"), whole("maxItems"),
    )  # fmt: skip


def _is_date(value: Any) -> bool:
    try:
        return (
            isinstance(value, str) and _DATE.fullmatch(value) is not None and bool(date.fromisoformat(value))
        )
    except ValueError:
        return False


def _local(value: Any) -> str | None:
    """Return an instant in UTC as the browser's field writes it; None for any other."""
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else None


def _is_line(value: Any, kind: ItemKind) -> bool:
    """Say whether an item can stand on a line of its own and be read back as it was."""
    if kind == "text":
        return isinstance(value, str) and value.isprintable() and bool(value) and value == value.strip()
    fits = isinstance(value, int) if kind == "integer" else isinstance(value, (int, float))
    return fits and not isinstance(value, bool)


def _line(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
