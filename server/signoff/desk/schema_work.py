"""Check a value against a JSON Schema in a bounded number of steps.

Both the schema and the value come from an agent, and one that names every member at every part of the other would
take minutes. The work is counted and not timed, so that the answer does not depend on how busy the machine is. What
jsonschema does in more than linear time, comparing each with each, is done here over numbers that stand for values.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any

from signoff.domain.errors import InvalidRequest, LimitExceeded
from signoff.triggers.patterns import pattern_cost, pattern_matches

MAX_STEPS = 500_000
"""Of one check: two or three seconds of one core. A list of 5,000 objects with two fields each takes 200,000."""

_CHARS_A_STEP = 1000
"""Characters that the slowest of the engine's matchers reads in a step, for each unit of a pattern's cost."""
_MEMBERS_A_STEP = 4
"""Looking for a name among some, or going to the next member, takes a fraction of what checking one does."""
_ERROR_STEPS = 10
_REFERENCE_STEPS = 4


class Work:
    """What is left of the steps that one check may take."""

    def __init__(self, field: str) -> None:
        self._field = field
        self.left = MAX_STEPS

    def take(self, steps: int) -> None:
        """Count some steps.

        Raises:
            LimitExceeded: There are none left.
        """
        self.left -= steps
        if self.left < 0:
            raise LimitExceeded(
                self._field, f"{MAX_STEPS:,} steps of checking it against its JSON Schema", "more"
            )


class _Numbers:
    """A number for each value, the same for values that JSON Schema calls equal: 1 and 1.0, never 1 and true.

    Each list and object is looked at once, and stays known by its identity: all of them live as long as the check.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._of_form: dict[tuple[str, Any], int] = {}
        self._of_holder: dict[int, int] = {}

    def of(self, value: Any) -> int:
        if not isinstance(value, (dict, list)):
            return self._number("yes_no" if isinstance(value, bool) else "one", value)
        known = self._of_holder.get(id(value))
        if known is None:
            self._work.take(len(value))
            # As text: Python salts the hashes of texts, so nobody can choose values whose forms collide.
            if isinstance(value, dict):
                pairs = sorted(f"{self.of(key)}:{self.of(member)}" for key, member in value.items())
                known = self._number("object", " ".join(pairs))
            else:
                known = self._number("list", " ".join(str(self.of(member)) for member in value))
            self._of_holder[id(value)] = known
        return known

    def _number(self, kind: str, value: Any) -> int:
        self._work.take(1)
        return self._of_form.setdefault((kind, value), len(self._of_form))


def best_error(schema: Mapping[str, Any], value: Any, *, field: str) -> Any:
    """Return what best tells why a value does not satisfy a schema, as jsonschema's error; None where it does.

    Raises:
        LimitExceeded: The check would take more than 500,000 steps.
        InvalidRequest: The schema's references lead too deep.
    """
    from jsonschema import Draft202012Validator  # 90 ms of import; most requests have no schema
    from jsonschema.exceptions import best_match
    from jsonschema.validators import extend

    work = Work(field)
    numbers = _Numbers(work)
    own: dict[str, Callable[..., Any]] = {
        "pattern": partial(_pattern, work),
        "$ref": partial(_reference, work),
    }
    own |= {name: partial(check, numbers) for name, check in _COMPARING.items()}
    checks = {**Draft202012Validator.VALIDATORS, **own}
    counted = {name: partial(_counted, work, check) for name, check in checks.items()}
    checker = extend(Draft202012Validator, counted)(dict(schema))  # type: ignore[no-untyped-call]
    try:
        return best_match(checker.iter_errors(value))
    except RecursionError:
        raise InvalidRequest("its JSON Schema leads too deep to check it.", field=field) from None


def _counted(
    work: Work, check: Callable[..., Any], validator: Any, wanted: Any, instance: Any, schema: Any
) -> Generator[Any]:
    work.take(1 + (_length(wanted) + _length(instance)) // _MEMBERS_A_STEP)
    for error in check(validator, wanted, instance, schema) or ():
        # jsonschema quotes the whole value in each message. Nobody reads it, and a list of them fills the memory.
        work.take(_ERROR_STEPS + len(error.message) // 100)
        error.message = ""
        yield error


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (dict, list)) else 0


def _pattern(work: Work, validator: Any, wanted: str, instance: Any, schema: Any) -> Generator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str):
        cost = pattern_cost(wanted)
        work.take(cost + len(instance) * cost // _CHARS_A_STEP)
        if not pattern_matches(wanted, instance):
            yield ValidationError("does not match")


def _reference(work: Work, validator: Any, wanted: str, instance: Any, schema: Any) -> Any:
    from jsonschema import Draft202012Validator

    work.take(_REFERENCE_STEPS)
    return Draft202012Validator.VALIDATORS["$ref"](validator, wanted, instance, schema)


def _unique(numbers: _Numbers, validator: Any, wanted: Any, instance: Any, schema: Any) -> Generator[Any]:
    from jsonschema import ValidationError

    if wanted and isinstance(instance, list) and len({numbers.of(one) for one in instance}) < len(instance):
        yield ValidationError("has the same value twice")


def _one_of(numbers: _Numbers, validator: Any, wanted: Any, instance: Any, schema: Any) -> Generator[Any]:
    from jsonschema import ValidationError

    if numbers.of(instance) not in {numbers.of(one) for one in wanted}:
        yield ValidationError("is none of them")


def _exactly(numbers: _Numbers, validator: Any, wanted: Any, instance: Any, schema: Any) -> Generator[Any]:
    from jsonschema import ValidationError

    if numbers.of(instance) != numbers.of(wanted):
        yield ValidationError("is another value")


_COMPARING: Mapping[str, Callable[..., Generator[Any]]] = {
    "uniqueItems": _unique,
    "enum": _one_of,
    "const": _exactly,
}
