"""The form of a typed response, made from the request's JSON Schema; its labels are the agent's and shown as such."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signoff.operators.form_fields import MAX_FIELDS, NOTHING, Builder, Field, Sent, count
from signoff.operators.form_reading import read, was_filled
from signoff.operators.present import json_text

__all__ = ["MAX_FIELDS", "PREFIX", "Sent", "read_response", "response_field", "was_filled"]

PREFIX = "r"


def response_field(schema: Mapping[str, Any], sent: Sent) -> Field:
    """Return the form of a schema; one field for JSON where it would need more than `MAX_FIELDS`."""
    made = Builder(schema, sent, titles=True).field(schema, PREFIX, "response", "", required=True)
    if count(made) <= MAX_FIELDS:
        return made
    return Field(
        PREFIX, "response", (), (), "json", required=True, schema_text=json_text(schema),
        sent=sent.get(PREFIX, ()), was_sent=PREFIX in sent,
    )  # fmt: skip


def read_response(field: Field) -> Any:
    """Return the response that a submitted form stands for; None where everything was left empty.

    Raises:
        InvalidRequest: Names the field that holds no value of its type, or is needed and empty.
    """
    value = read(field)
    return None if value is NOTHING else value
