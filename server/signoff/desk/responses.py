"""JSON Schemas (2020-12) that an agent sends: of the response it wants, and of its tool's arguments.

The schema comes from an agent, so it is kept from doing harm: references go to `$defs` only and never in circles,
its size with every reference written out is bounded, no part of it names another dialect (whose validator would
run `pattern` in Python's engine), and `pattern` runs in a linear-time engine (RE2's syntax, through CEL). What a
check may take is bounded (`schema_work`), and it runs in a thread, so that everybody else is answered meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import anyio.to_thread

from signoff.desk.schema_work import best_error
from signoff.domain.canonical import canonical, check_value, short_key
from signoff.domain.errors import InvalidRequest, LimitExceeded
from signoff.triggers.patterns import pattern_problem

MAX_SCHEMA_BYTES = 64 * 1024
MAX_PARTS = 5000
"""Parts of a schema with every reference written out; thirty that each name the next one twice would be 2^30."""
MAX_PATTERNS = 20
"""The engine takes up to 30 ms to compile one; a schema full of them would hold everybody else up for a minute."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = re.compile(r"#/(\$defs|definitions)/([A-Za-z0-9._-]+)")
_NAMED = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose members are schemas under names of the author's."""
_DATA = frozenset({"enum", "const", "default", "examples", "required", "dependentRequired"})
"""Keywords that hold values and not schemas."""
_TEXTS = frozenset({"type", "required"})
"""Keywords that hold lists of texts; jsonschema compares members of other lists each with each."""
_REFUSED = {
    "patternProperties": "is not supported; name the properties",
    "unevaluatedProperties": "is not supported; use additionalProperties",
    "unevaluatedItems": "is not supported; use items",
    "$dynamicRef": "is not supported; use $ref",
    "$recursiveRef": "is not supported; use $ref",
}


async def check_request_schemas(
    response_schema: dict[str, Any] | None, tool_schema: dict[str, Any] | None, arguments: Any
) -> None:
    """Refuse the schemas of a request that cannot be used, and arguments that do not satisfy their tool's.

    Raises:
        InvalidRequest: Names the schema, or the argument at fault.
        LimitExceeded: A schema is too large, or checking the arguments takes too many steps.
    """

    def check() -> None:
        if response_schema is not None:
            check_schema(response_schema, field="response_schema")
        if tool_schema is not None:
            check_schema(tool_schema, field="tool_schema")
            _check_against(tool_schema, arguments, field="action.arguments")

    if response_schema is not None or tool_schema is not None:
        await anyio.to_thread.run_sync(check)


def check_schema(schema: Any, *, field: str) -> None:
    """Refuse a schema that cannot be used to check a response, or changed arguments.

    Args:
        field: What to call it in an error.

    Raises:
        InvalidRequest: Not a JSON Schema, a reference out of it or in circles, or a pattern that cannot run safely.
        LimitExceeded: Over 64 KB, 20 patterns, or 5,000 parts with its references written out.
    """
    if not isinstance(schema, dict):
        raise InvalidRequest("must be a JSON Schema object.", field=field)
    check_value(schema, field=field)
    size = len(canonical(schema))
    if size > MAX_SCHEMA_BYTES:
        raise LimitExceeded(field, f"{MAX_SCHEMA_BYTES} bytes", f"{size} bytes")
    patterns = sum(1 for part in _parts(schema) if isinstance(part, dict) and "pattern" in part)
    if patterns > MAX_PATTERNS:
        raise LimitExceeded(field, f"{MAX_PATTERNS} patterns", f"{patterns} patterns")
    _check_parts(schema, field, root=True)
    from jsonschema import Draft202012Validator, SchemaError  # 90 ms of import; most requests have no schema

    try:
        _check_references(schema, field)
        Draft202012Validator.check_schema(schema)
    except RecursionError:
        raise InvalidRequest("its references lead too deep.", field=field) from None
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise InvalidRequest(f"not a JSON Schema (2020-12), at {where or 'its root'}.", field=field) from None


def _parts(part: Any) -> Iterator[Any]:
    """Yield a schema and everything below it that is one; no values, and no names for keywords."""
    yield part
    for member in _below(part):
        yield from _parts(member)


def _below(part: Any) -> Iterator[Any]:
    if isinstance(part, list):
        yield from part
    if not isinstance(part, dict):
        return
    for key, member in part.items():
        if key in _NAMED and isinstance(member, dict):
            yield from member.values()
        elif key not in _DATA and isinstance(member, (dict, list)):
            yield member


def _check_parts(value: Any, field: str, *, root: bool = False) -> None:
    if isinstance(value, list):
        for index, member in enumerate(value):
            _check_parts(member, f"{field}[{index}]")
    if not isinstance(value, dict):
        return
    for key, member in value.items():
        if key in _TEXTS and isinstance(member, list):
            _check_texts(member, f"{field}.{key}")
        if key == "dependentRequired" and isinstance(member, dict):
            for name, texts in member.items():
                _check_texts(texts, f"{field}.{key}.{short_key(name)}")
        if key in _DATA:
            continue
        if key in _NAMED and isinstance(member, dict):
            for name, part in member.items():
                _check_parts(part, f"{field}.{key}.{short_key(name)}")
            continue
        if key in _REFUSED and member not in ({}, None):
            raise InvalidRequest(f"{_REFUSED[key]}.", field=f"{field}.{key}")
        if key == "$ref" and not (isinstance(member, str) and _REFERENCE.fullmatch(member)):
            raise InvalidRequest(
                "references must stay inside the schema, as #/$defs/NAME.", field=f"{field}.$ref"
            )
        if key == "$schema" and (not root or str(member).rstrip("#") != _DIALECT):
            raise InvalidRequest(f"stands at the root only and is {_DIALECT}.", field=f"{field}.$schema")
        if key == "$id" and not root:
            raise InvalidRequest("stands at the root only.", field=f"{field}.$id")
        if key == "pattern" and isinstance(member, str):
            problem = pattern_problem(member)
            if problem is not None:
                raise InvalidRequest(f"cannot be used: {problem}.", field=f"{field}.pattern")
        _check_parts(member, f"{field}.{short_key(key)}")


def _check_texts(value: Any, field: str) -> None:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidRequest("must be a list of texts.", field=field)


def _check_references(schema: dict[str, Any], field: str) -> None:
    """Refuse references that lead nowhere or in circles, and a schema that is too large with all written out."""
    sizes: dict[str, int | None] = {}

    def size_of(part: Any) -> int:
        made = 0
        for reference in _references(part):
            made += 1 if reference is None else size_behind(reference)
        return min(made, MAX_PARTS + 1)

    def size_behind(reference: str) -> int:
        if reference in sizes:
            known = sizes[reference]
            if known is None:
                raise InvalidRequest(f"the reference {reference} leads back to itself.", field=field)
            return known
        found = _REFERENCE.fullmatch(reference)
        holder = schema.get(found[1]) if found else None
        if found is None or not isinstance(holder, dict) or found[2] not in holder:
            raise InvalidRequest(f"the reference {reference[:100]} leads nowhere.", field=field)
        sizes[reference] = None
        sizes[reference] = size = size_of(holder[found[2]])
        return size

    size = size_of(schema)
    if size > MAX_PARTS:
        raise LimitExceeded(field, f"{MAX_PARTS} parts with its references written out", "more")


def _references(schema: Any) -> Iterator[str | None]:
    """Yield a schema's references, and None for each part of it."""
    for part in _parts(schema):
        yield None
        if isinstance(part, dict) and isinstance(part.get("$ref"), str):
            yield part["$ref"]


async def check_response(schema: Mapping[str, Any] | None, response: Any) -> None:
    """Check a person's response.

    Raises:
        InvalidRequest: Names the member at fault; or a response though none was asked for.
    """
    if schema is None:
        if response is not None:
            raise InvalidRequest("this case asks for none.", field="response")
        return
    await check_against(schema, response, field="response")


async def check_against(schema: Mapping[str, Any], value: Any, *, field: str) -> None:
    """Check a value against a schema that `check_schema` let pass.

    Raises:
        InvalidRequest: Names the member at fault, never its value.
        LimitExceeded: The check would take too many steps.
    """
    await anyio.to_thread.run_sync(partial(_check_against, schema, value, field=field))


def _check_against(schema: Mapping[str, Any], value: Any, *, field: str) -> None:
    error = best_error(schema, value, field=field)
    if error is None:
        return
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    raise InvalidRequest(f"{_told(error)}.", field=f"{field}{path}")


def _told(error: Any) -> str:
    """Say what is wrong without the value itself: jsonschema's messages quote it."""
    wanted = error.validator_value
    match error.validator:
        case "type":
            return f"must be {' or '.join(wanted) if isinstance(wanted, list) else wanted}"
        case "required":
            missing = [name for name in wanted if name not in error.instance]
            return f"{', '.join(missing)} is missing"
        case "enum":
            return "must be one of: " + ", ".join(str(one) for one in wanted)
        case "minimum" | "exclusiveMinimum":
            return f"must be at least {wanted}" if error.validator == "minimum" else f"must be above {wanted}"
        case "maximum" | "exclusiveMaximum":
            return f"must be at most {wanted}" if error.validator == "maximum" else f"must be below {wanted}"
        case "minLength" | "maxLength" | "minItems" | "maxItems":
            return f"has the wrong length ({error.validator} is {wanted})"
        case "pattern":
            return f"must match {wanted}"
        case "additionalProperties" | "unevaluatedProperties":
            return "has a field that is not asked for"
        case _:
            return f"does not satisfy '{error.validator}'"
