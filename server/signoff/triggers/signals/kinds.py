"""Every kind of signal, by the key that declares it."""

from __future__ import annotations

from signoff.triggers.signals.asks_for_human import AsksForHuman
from signoff.triggers.signals.destructive import Destructive
from signoff.triggers.signals.history import Count, Denials, Distinct, Failures, NewTool, Rate, Sum
from signoff.triggers.signals.minutes_left import MinutesLeft
from signoff.triggers.signals.personal_data import PersonalData
from signoff.triggers.signals.repeated_calls import RepeatedCalls
from signoff.triggers.signals.repeated_errors import RepeatedErrors
from signoff.triggers.signals.secrets import Secrets
from signoff.triggers.signals.sentiment import Sentiment
from signoff.triggers.signals.session_length import SessionLength
from signoff.triggers.signals.signal import Signal
from signoff.triggers.signals.working_hours import WorkingHours

KINDS: dict[str, type[Signal]] = {
    made.kind(): made
    for made in (
        AsksForHuman,
        Count,
        Denials,
        Destructive,
        Distinct,
        Failures,
        MinutesLeft,
        NewTool,
        PersonalData,
        Rate,
        RepeatedCalls,
        RepeatedErrors,
        Secrets,
        Sentiment,
        SessionLength,
        Sum,
        WorkingHours,
    )
}
