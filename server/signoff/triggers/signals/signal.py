"""What every kind of signal is: its options as they stand in the policy, and how its value is found."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from signoff.triggers.facts import Facts
from signoff.triggers.fields import ROOTS, Kind, Path, read_path


def _path(text: str) -> str:
    read_path(text)
    return text


PathText = Annotated[
    str,
    Field(
        strict=True,
        max_length=300,
        json_schema_extra={
            "pattern": rf"^(?:{'|'.join(root for root in ROOTS if root != 'signals')})(?:\.|$)"
        },
    ),
    AfterValidator(_path),
]
"""A path such as `bundle.subject.id`."""


class Signal(BaseModel):
    """One signal as the policy declares it; its first field carries the name of its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    gives: ClassVar[Kind]
    """What its values are."""

    @classmethod
    def kind(cls) -> str:
        """Return the name of the kind, the key by which a declaration is recognised."""
        return next(iter(cls.model_fields))

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys of a declaration as they stand in the policy."""
        return [made.alias or name for name, made in cls.model_fields.items()]

    def paths(self) -> tuple[Path, ...]:
        """Return the paths that its options name: who may not see what stands there is not shown the signal either."""
        named: list[Path] = []
        for given in self.model_dump().values():
            for text in given if isinstance(given, (list, tuple)) else [given]:
                if isinstance(text, str):
                    with suppress(ValueError):
                        named.append(read_path(text))
        return tuple(named)

    def value(self, facts: Facts, name: str) -> Any:
        """Return the signal's value as plain JSON, None where the facts do not tell.

        None makes a condition that reads it fire as `missing signals.<name>`; an exception makes it fire as an error.
        Called at most once per evaluation, and only if a rule for the tool reads it.

        Args:
            name: Under which the policy declares it.
        """
        raise NotImplementedError
