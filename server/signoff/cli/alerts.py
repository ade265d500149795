"""Alerts, from the terminal."""

from __future__ import annotations

from signoff.cli.commands import Commands

alerts = Commands(
    "alerts",
    help="Alerts: preview, test, health of each address, and templates of your own.",
    found_in=dict.fromkeys(("preview", "test", "health", "check"), "signoff.cli.alert_channels"),
)
