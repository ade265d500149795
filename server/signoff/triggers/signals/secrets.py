"""Secrets in the arguments: what an agent would hand on that is nobody else's business."""

from __future__ import annotations

from typing import ClassVar, Literal

from signoff.domain.secrets import secret_kinds
from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind
from signoff.triggers.signals.signal import Signal
from signoff.triggers.signals.texts import count_chars

MAX_CHARS = 32 * 1024
"""Characters of the arguments that are read, so that the worst take 15 ms."""


class Secrets(Signal):
    """`{secrets: arguments}`: the kinds of secrets in the action's arguments, such as `private_key` and `jwt`.

    The forms that are masked wherever signoff stores something: keys with a vendor's prefix, PEM blocks, JWTs, bearer
    tokens and card numbers. A password in prose has no form and is not found.
    """

    secrets: Literal["arguments"]

    gives: ClassVar[Kind] = "list"

    def value(self, facts: Facts, name: str) -> list[str]:
        """Return the kinds, each once, in alphabetical order.

        Raises:
            ValueError: More text than is read.
        """
        arguments = facts.action.get("arguments")
        count_chars(arguments, at_most=MAX_CHARS)
        return sorted(secret_kinds(arguments))
