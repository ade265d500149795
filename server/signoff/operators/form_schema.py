"""JSON Schema (2020-12) as far as a form can show it: references written out, combinations taken apart.

What is left here is one of a few shapes. Anything else is `None`, and the form asks for JSON with the schema beside it;
whether an answer satisfies the whole schema is for the desk to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_REFERENCE = re.compile(r"#/(\$defs|definitions)/([A-Za-z0-9._-]+)")
_BRANCH_KEYS = frozenset({"properties", "required", "title", "description", "type"})
"""What a conditional part may say to be shown as fields."""
_WORDS = ("title", "description", "default", "unit", "x-unit")
MAX_REFERENCES = 20
"""A chain of references longer than this is asked for as JSON."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A part of an object that counts only under a condition on one of its members."""

    member: str
    values: tuple[Any, ...]
    """The values of the member under which it counts; empty for any value at all."""
    without: bool
    """It counts also where the member is left out."""
    negated: bool
    """It counts where the member has none of the values: an `else`."""
    properties: Schema
    required: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a schema that a form can show."""

    plain: Schema
    """Without references and combinations."""
    nullable: bool = False
    rules: tuple[Rule, ...] = ()
    variants: tuple[Part, ...] = ()
    """One of these, each an object."""


def part_of(schema: Any, root: Schema) -> Part | None:
    """Return a part as a form can show it, None where it cannot.

    Args:
        root: The whole schema, whose `$defs` references lead to.
    """
    return _part(schema, root, left=MAX_REFERENCES)


def _part(schema: Any, root: Schema, *, left: int) -> Part | None:
    if not isinstance(schema, Mapping) or left <= 0:
        return None
    if "$ref" in schema:
        behind = _behind(schema["$ref"], root)
        if behind is None:
            return None
        return _part({**behind, **{k: v for k, v in schema.items() if k != "$ref"}}, root, left=left - 1)
    if {"not", "$dynamicRef"} & schema.keys():
        return None
    merged = _all_of(schema, root, left=left)
    if merged is None:
        return None
    plain, rules = merged
    for key in ("oneOf", "anyOf"):
        if key in plain:
            return _one_of(plain, key, rules, root, left=left)
    kinds = plain.get("type")
    if isinstance(kinds, list):
        some = [one for one in kinds if one != "null"]
        if len(some) != 1:
            return None
        return Part({**plain, "type": some[0]}, nullable=len(some) < len(kinds), rules=rules)
    return Part(plain, rules=rules)


def _behind(reference: Any, root: Schema) -> Schema | None:
    found = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    holder = root.get(found[1]) if found else None
    behind = holder.get(found[2]) if found and isinstance(holder, Mapping) else None
    return behind if isinstance(behind, Mapping) else None


def _all_of(schema: Schema, root: Schema, *, left: int) -> tuple[dict[str, Any], tuple[Rule, ...]] | None:
    """Return a schema with its `allOf` merged in and its conditions as rules; None where that cannot be."""
    plain = {
        key: value
        for key, value in schema.items()
        if key not in ("allOf", "if", "then", "else", "dependentSchemas")
    }
    rules = _rules(schema)
    if rules is None:
        return None
    members = schema.get("allOf", [])
    for member in members if isinstance(members, list) else []:
        if isinstance(member, Mapping) and "$ref" in member:
            behind = _behind(member["$ref"], root)
            member = (
                None if behind is None else {**behind, **{k: v for k, v in member.items() if k != "$ref"}}
            )
        if not isinstance(member, Mapping):
            return None
        inner = _all_of(member, root, left=left - 1) if left > 1 else None
        if inner is None or not _merge(plain, inner[0]):
            return None
        rules = (*rules, *inner[1])
    return plain, rules


def _merge(plain: dict[str, Any], more: Schema) -> bool:
    """Take in what else holds; False where two parts say something different of the same thing."""
    for key, value in more.items():
        if key == "properties" and isinstance(value, Mapping):
            known = plain.setdefault("properties", {})
            if not isinstance(known, Mapping) or any(
                known.get(one, two) != two for one, two in value.items()
            ):
                return False
            plain["properties"] = {**known, **value}
        elif key == "required" and isinstance(value, list):
            plain["required"] = list(dict.fromkeys([*plain.get("required", []), *value]))
        elif plain.setdefault(key, value) != value:
            return False
    return True


def _rules(schema: Schema) -> tuple[Rule, ...] | None:
    """Return the conditions of one object; None for one that no single choice of a person decides."""
    made: list[Rule] = []
    if "if" in schema:
        when = _when(schema["if"])
        if when is None:
            return None
        for branch, negated in ((schema.get("then", {}), False), (schema.get("else", {}), True)):
            rule = _rule(branch, *when, negated=negated)
            if rule is None:
                return None
            if rule.properties or rule.required:
                made.append(rule)
    for member, needed in _pairs(schema.get("dependentRequired")):
        if not isinstance(needed, list):
            return None
        made.append(Rule(member, (), False, False, {}, tuple(map(str, needed))))
    for member, branch in _pairs(schema.get("dependentSchemas")):
        rule = _rule(branch, member, (), False, negated=False)
        if rule is None:
            return None
        made.append(rule)
    return tuple(made)


def _pairs(value: Any) -> Sequence[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _when(condition: Any) -> tuple[str, tuple[Any, ...], bool] | None:
    """Return the member that an `if` looks at, its values, and whether it holds where the member is left out."""
    if not isinstance(condition, Mapping) or not condition.keys() <= {"properties", "required", "type"}:
        return None
    properties = condition.get("properties")
    if not isinstance(properties, Mapping) or len(properties) != 1:
        return None
    ((member, asked),) = properties.items()
    if not isinstance(asked, Mapping) or not asked.keys() <= {"const", "enum", "type"}:
        return None
    values = [asked["const"]] if "const" in asked else asked.get("enum")
    required = condition.get("required", [])
    if not isinstance(values, list) or not values or required not in ([], [member]):
        return None
    return member, tuple(values), required == []


def _rule(branch: Any, member: str, values: tuple[Any, ...], without: bool, *, negated: bool) -> Rule | None:
    if not isinstance(branch, Mapping) or not branch.keys() <= _BRANCH_KEYS:
        return None
    properties, required = branch.get("properties", {}), branch.get("required", [])
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        return None
    return Rule(member, values, without, negated, properties, tuple(map(str, required)))


def _one_of(plain: Schema, key: str, rules: tuple[Rule, ...], root: Schema, *, left: int) -> Part | None:
    others = {name: value for name, value in plain.items() if name != key}
    options = plain[key]
    if not isinstance(options, list) or {"oneOf", "anyOf"} & others.keys():
        return None
    some = [one for one in options if not (isinstance(one, Mapping) and one.get("type") == "null")]
    nullable = len(some) < len(options)
    if some and all(isinstance(one, Mapping) and "const" in one for one in some):
        named = {"enum": [one["const"] for one in some], "titles": [one.get("title") for one in some]}
        return Part({**_kept(others), **named}, nullable=nullable, rules=rules)
    if len(some) == 1 and nullable:
        inner = _part(some[0], root, left=left - 1)
        if inner is None or inner.nullable or not others.keys() <= set(_WORDS):
            return None
        return Part({**inner.plain, **others}, nullable=True, rules=inner.rules, variants=inner.variants)
    return None if nullable or rules else _variants(others, some, root, left=left)


def _kept(others: Schema) -> dict[str, Any]:
    return {name: value for name, value in others.items() if name != "type"}


def _variants(base: Schema, options: list[Any], root: Schema, *, left: int) -> Part | None:
    made: list[Part] = []
    words = {name: base[name] for name in _WORDS if name in base}
    for one in options:
        inner = _part(one, root, left=left - 1)
        if inner is None or inner.variants or inner.nullable:
            return None
        merged = {name: value for name, value in base.items() if name not in _WORDS}
        if not _merge(merged, inner.plain) or not isinstance(merged.get("properties"), Mapping):
            return None
        made.append(Part(merged, rules=inner.rules))
    return Part(words, variants=tuple(made)) if len(made) > 1 else None


def inferred(value: Any) -> dict[str, Any]:
    """Return a schema for a value whose own is not known: what its type says, members of a list taken together."""
    match value:
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case Mapping() if value:
            return {"type": "object", "properties": {key: inferred(one) for key, one in value.items()}}
        case list() if value:
            return {"type": "array", "items": _together([inferred(one) for one in value])}
        case _:
            return {}


def _together(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what fits every member of a list; nothing in particular where they are of different types."""
    kinds = {one.get("type") for one in schemas}
    if len(kinds) != 1 or None in kinds:
        return {}
    (kind,) = kinds
    if kind != "object":
        return schemas[0] if all(one == schemas[0] for one in schemas) else {}
    keys = dict.fromkeys(key for one in schemas for key in one["properties"])
    properties = {
        key: _together([one["properties"][key] for one in schemas if key in one["properties"]])
        for key in keys
    }
    return {"type": "object", "properties": properties}
