"""Every kind of signal, by the key that declares it."""

from __future__ import annotations

from signoff.triggers.signals.history import Count, Denials, Distinct, Failures, NewTool, Rate, Sum
from signoff.triggers.signals.minutes_left import MinutesLeft
from signoff.triggers.signals.signal import Signal

KINDS: dict[str, type[Signal]] = {
    made.kind(): made for made in (MinutesLeft, Sum, Count, Rate, Distinct, Failures, Denials, NewTool)
}
