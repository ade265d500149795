"""What the verbs need, and the few numbers that steer them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from signoff.audit.erasures import ErasureFile
from signoff.audit.keys import CheckpointSigner, Keys
from signoff.desk.record import CheckSettings
from signoff.desk.recorder import Recorder
from signoff.desk.tries import Tries
from signoff.domain.clock import Clock
from signoff.domain.ids import NewId
from signoff.store.store import Store
from signoff.triggers.watch import PolicyFile

PublicAudit = Literal["none", "checkpoints", "log"]
"""What of the log anybody may read who reaches the pages: nothing, checkpoints and hashes, or the events too."""


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """What one agent may ask of people, where it has no limits of its own; 0 for any number."""

    max_open: int = 1000
    requests_per_minute: int = 600


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """The numbers that an operator of the server may change."""

    base_url: str
    """Where people reach the pages, without a slash at the end."""
    undo_s: int = 10
    """Seconds in which a decision can be taken back; the agent is told after them."""
    urgent_link_valid_for: timedelta = timedelta(minutes=10)
    """Life of a magic link for a high or critical case; others live until the case's deadline."""
    case_sign_in_valid_for: timedelta = timedelta(hours=1)
    """How long an opened magic link shows its case."""
    sign_in_link_valid_for: timedelta = timedelta(minutes=15)
    sign_in_valid_for: timedelta = timedelta(hours=12)
    sign_in_by_alert: bool = True
    """Whether a sign-in link goes to where a person's alerts go, when they ask for one."""
    public_audit: PublicAudit = "checkpoints"
    lease_s: int = 60
    """How long a worker may take to send an alert before another may try."""
    digest_above: int = 5
    """Alerts of low or normal urgency that may go to one address within `digest_within` one by one."""
    digest_within: timedelta = timedelta(seconds=60)
    silent_after: timedelta = timedelta(seconds=60)
    """How long alerts may be due, and no worker seen, before that is said."""
    limits: AgentLimits = field(default_factory=AgentLimits)
    checks: CheckSettings = field(default_factory=CheckSettings)


@dataclass(frozen=True)
class Desk:
    """Everything a verb touches; made once, by `app.py`."""

    store: Store
    policy: PolicyFile
    keys: Keys
    signer: CheckpointSigner
    clock: Clock
    new_id: NewId
    settings: DeskSettings
    tries: Tries = field(default_factory=Tries)
    """Links and passkeys that did not sign anybody in."""
    asks: Tries = field(
        default_factory=lambda: Tries("Too many sign-in links were asked for from here. Wait ten minutes.")
    )
    sign_in_seal: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    """Marks the challenges of this process: a passkey signs in over one of ours only (`passkey_sign_in.py`)."""
    erasures: ErasureFile | None = None
    """What was erased, known outside the database; without it nothing can be erased."""
    recorder: Recorder = field(init=False)
    """Writes checks down behind the answer; runs where `app/` starts it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "recorder", Recorder(self.store, self.policy, self.settings.checks))
