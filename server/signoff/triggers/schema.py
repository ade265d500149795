"""The form of a policy file as JSON Schema (2020-12), made from the models that load it.

It says what a model can say of a document on its own: keys, kinds of values, words, and forms of texts. Whether an
expression holds and whether a name names anything is known only where the whole policy is loaded.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from signoff.domain.policy import Policy
from signoff.triggers.load import MAX_SIGNALS, MAX_TRIGGERS
from signoff.triggers.signals.kinds import KINDS

SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{model}"


class _Generate(GenerateJsonSchema):
    """Pydantic's generator, for values as they stand in YAML."""

    def timedelta_schema(self, schema: Any) -> JsonSchemaValue:
        """Describe a duration as a policy writes it."""
        del schema
        return {
            "type": "string",
            "pattern": "^(?!0+[smhd]$)[0-9]{1,9}[smhd]$",
            "description": "A whole number and s, m, h or d, such as 30m.",
        }

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        """Leave defaults out: they are Python values, and the descriptions say what holds."""
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave titles out; an editor shows the key itself."""
        del schema
        return False

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """Accept what only code can check; the loader refuses it."""
        del schema, error_info
        return {}


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy file."""
    defs: dict[str, Any] = {}
    made = _schema_of(Policy, defs)
    for name, kind in KINDS.items():
        defs[f"signal-{name}"] = _schema_of(kind, defs)
    properties = made["properties"]
    names = {"propertyNames": defs["Trigger"]["properties"]["id"] | {"description": "A name."}}
    properties["version"] = {"const": 1, "description": "Always 1."}
    properties["triggers"]["maxItems"] = MAX_TRIGGERS
    queues = properties["queues"]
    queues.pop("patternProperties", None)
    properties["queues"] = {**queues, **names, "additionalProperties": {"$ref": "#/$defs/Queue"}}
    properties["signals"] = {
        "description": "By name: values that are computed for conditions, each declared by its kind.",
        "type": "object",
        "maxProperties": MAX_SIGNALS,
        **names,
        "additionalProperties": {"anyOf": [{"$ref": f"#/$defs/signal-{name}"} for name in KINDS]},
    }
    # The loader gives `when: true` its text back, so a word that YAML takes for more is no mistake there.
    when = defs["Trigger"]["properties"]["when"]
    when["anyOf"] = [*when["anyOf"], {"type": "boolean"}]
    return {"$schema": SCHEMA, "title": "signoff policy", **made, "$defs": defs}


def _schema_of(model: type[BaseModel], defs: dict[str, Any]) -> dict[str, Any]:
    """Return a model's schema with what its docstrings say, its parts moved into `defs`."""
    made = model.model_json_schema(schema_generator=_Generate, ref_template=_REFERENCE)
    parts = made.pop("$defs", {})
    models = {one.__name__: one for one in _models(model)}
    for name, part in {**parts, model.__name__: made}.items():
        part.pop("title", None)
        if name not in models:  # an enum, say
            continue
        for key, text in _attribute_docs(models[name]).items():
            if key in part["properties"]:
                part["properties"][key] = {"description": text, **part["properties"][key]}
                part["properties"][key]["description"] = text
    defs.update(parts)
    return made


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Walk a model and those in its fields."""
    waiting: list[Any] = [model]
    seen: set[Any] = set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        if isinstance(one, type) and issubclass(one, BaseModel):
            seen.add(one)
            yield one
            waiting.extend(info.annotation for info in one.model_fields.values())
        else:
            waiting.extend(inner for inner in get_args(one) if inner is not Ellipsis)


def _attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings that stand under a model's fields; pydantic reads them at import or not at all."""
    (made,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    docs: dict[str, str] = {}
    if not isinstance(made, ast.ClassDef):
        return docs
    for line, after in itertools.pairwise(made.body):
        if (
            isinstance(line, ast.AnnAssign)
            and isinstance(line.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            docs[line.target.id] = inspect.cleandoc(after.value.value).replace("\n", " ")
    return docs
