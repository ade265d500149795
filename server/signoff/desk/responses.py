"""Typed responses: the request's JSON Schema (2020-12), and a person's response against it.

The schema comes from an agent, so it is kept from doing harm: no references out of itself, a bounded size, and
`pattern` runs in a linear-time engine (RE2's syntax, through CEL).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from signoff.domain.canonical import canonical, check_value
from signoff.domain.errors import InvalidRequest, LimitExceeded
from signoff.triggers.patterns import pattern_matches, pattern_problem

MAX_SCHEMA_BYTES = 64 * 1024


def check_response_schema(schema: Any) -> None:
    """Refuse a schema that cannot be used to check a response.

    Raises:
        InvalidRequest: Not a JSON Schema, a reference out of it, or a pattern that cannot run safely.
        LimitExceeded: Over 64 KB.
    """
    field = "response_schema"
    if not isinstance(schema, dict):
        raise InvalidRequest("must be a JSON Schema object.", field=field)
    check_value(schema, field=field)
    size = len(canonical(schema))
    if size > MAX_SCHEMA_BYTES:
        raise LimitExceeded(field, f"{MAX_SCHEMA_BYTES} bytes", f"{size} bytes")
    _check_parts(schema, field)
    from jsonschema import Draft202012Validator, SchemaError  # 90 ms of import; most requests have no schema

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise InvalidRequest(f"not a JSON Schema (2020-12), at {where or 'its root'}.", field=field) from None


def _check_parts(value: Any, field: str) -> None:
    if isinstance(value, list):
        for index, member in enumerate(value):
            _check_parts(member, f"{field}[{index}]")
    if not isinstance(value, dict):
        return
    for key, member in value.items():
        if key in ("$ref", "$dynamicRef") and isinstance(member, str) and not member.startswith("#"):
            raise InvalidRequest(
                "references must stay inside the schema (start with #).", field=f"{field}.{key}"
            )
        if key == "pattern" and isinstance(member, str):
            problem = pattern_problem(member)
            if problem is not None:
                raise InvalidRequest(f"cannot be used: {problem}.", field=f"{field}.pattern")
        if key == "patternProperties" and isinstance(member, dict) and member:
            raise InvalidRequest("is not supported; name the properties.", field=f"{field}.patternProperties")
        _check_parts(member, f"{field}.{key}")


def check_response(schema: Mapping[str, Any] | None, response: Any) -> None:
    """Check a person's response.

    Raises:
        InvalidRequest: Names the member at fault; or a response though none was asked for.
    """
    if schema is None:
        if response is not None:
            raise InvalidRequest("this case asks for none.", field="response")
        return
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.exceptions import best_match
    from jsonschema.validators import extend

    def pattern(validator: Any, wanted: str, instance: Any, schema: Any) -> Generator[ValidationError]:
        if isinstance(instance, str) and not pattern_matches(wanted, instance):
            yield ValidationError(f"does not match the pattern {wanted}")

    checker = extend(Draft202012Validator, {"pattern": pattern})(dict(schema))  # type: ignore[no-untyped-call]
    error = best_match(checker.iter_errors(response))
    if error is None:
        return
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    raise InvalidRequest(f"{_told(error)}.", field=f"response{path}")


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
