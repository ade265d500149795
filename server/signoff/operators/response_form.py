"""The form of a typed response, made from the request's JSON Schema; its labels are the agent's and shown as such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from signoff.operators.form_fields import MAX_FIELDS, MAX_WEIGHT, NOTHING, Builder, Field, Sent, count, weight
from signoff.operators.form_reading import read, was_filled
from signoff.operators.present import json_text

__all__ = ["MAX_FIELDS", "PREFIX", "Sent", "read_response", "response_field", "was_filled"]

PREFIX = "r"


AT = "/response_schema"
"""Where the schema stands in the case's document."""


def response_field(schema: Mapping[str, Any], sent: Sent) -> Field:
    """Return the form of a schema; one field for JSON where it would need more than `MAX_FIELDS`, or be too large.

    Which of the two it is depends on the schema alone: what a person sends is read as it was asked for.
    """
    bare = _fields(schema, {})
    if count(bare) <= MAX_FIELDS and weight(bare) <= MAX_WEIGHT:
        made = _fields(schema, sent)
        if count(made) <= MAX_FIELDS:
            return made
    whole = Field(
        PREFIX, "response", (), (), "json", required=True, schema_text=json_text(schema),
        sent=sent.get(PREFIX, ()), was_sent=PREFIX in sent,
    )  # fmt: skip
    return whole if weight(whole) <= MAX_WEIGHT else replace(whole, schema_text="", schema_at=AT)


def _fields(schema: Mapping[str, Any], sent: Sent) -> Field:
    return Builder(schema, sent, titles=True).field(schema, PREFIX, "response", "", required=True)


def read_response(field: Field) -> Any:
    """Return the response that a submitted form stands for; None where everything was left empty.

    Raises:
        InvalidRequest: Names the field that holds no value of its type, or is needed and empty.
    """
    value = read(field)
    return None if value is NOTHING else value
