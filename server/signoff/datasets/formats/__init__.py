"""The formats, one a file: a function that makes a row of a decided case, or says why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from signoff.datasets.decided import DecidedCase
from signoff.datasets.formats import jsonl, openai_chat, trl_dpo
from signoff.datasets.formats.row import Row

FORMATS: Mapping[str, Callable[[DecidedCase], Row]] = MappingProxyType(
    {"openai-chat": openai_chat.row, "trl-dpo": trl_dpo.row, "jsonl": jsonl.row}
)
"""By name. Each raises `Excluded` for a case that the format has no place for."""
