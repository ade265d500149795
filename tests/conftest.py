"""What every test stands on: a desk on a real database, a clock that is turned by hand, and the cast.

Ada is the agent that asks, Bea another agent. Omar is an operator, Sofia a supervisor, Amir an auditor.
Mallory holds nothing.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from tests._support.clock import HandClock

from signoff.audit.erasures import ErasureFile
from signoff.audit.keys import CheckpointSigner, create_keys
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.people import add_agent, add_person
from signoff.domain.ids import new_id
from signoff.domain.people import Agent, SignIn
from signoff.store.sealing import open_sealing
from signoff.store.sqlite import open_store
from signoff.triggers.watch import PolicyFile

# How long an example takes says how busy the machine is, and nothing about the product.
hypothesis_settings.register_profile("signoff", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("signoff")
# Hundreds of processes are started here; where it is set, each of them would compile the whole package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

POLICY = """\
version: 1
queues:
  payments:
    tiers:
      - alert: [role:operator]
triggers:
  - id: large-wire
    title: Wire above 10,000
    category: value
    tools: [wire_transfer]
    when: action.arguments.amount > 10000
    then: escalate
    queue: payments
    urgency: high
    explain: "{{action.arguments.amount}} to {{action.arguments.country}}"
  - id: board
    title: Two supervisors
    tools: [sell_company]
    then: escalate
    require: {role: supervisor, approvals: 2, assurance: session, separation: true, reason: true}
  - id: never
    title: Never
    tools: [launch_missiles]
    then: deny
  - id: known-good
    title: Reading is fine
    tools: [read_file]
    then: allow
"""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of the product."""
    return "asyncio"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def settings() -> DeskSettings:
    """No undo window; tests of it make a desk of their own or override this."""
    return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=0)


@pytest.fixture
async def desk(
    tmp_path: Path, clock: HandClock, policy_path: Path, settings: DeskSettings
) -> AsyncGenerator[Desk]:
    keys = create_keys(tmp_path / "keys", origin="signoff.example/test")
    path, sealing = tmp_path / "signoff.db", open_sealing(tmp_path / "keys")
    async with open_store(path, log=keys.origin, clock=clock, new_id=new_id, sealing=sealing) as store:
        yield Desk(
            store,
            PolicyFile(policy_path),
            keys,
            CheckpointSigner(keys),
            clock,
            new_id,
            settings,
            erasures=ErasureFile(tmp_path / "erasures"),
        )


@dataclass(frozen=True)
class Cast:
    """Who plays; people are signed in fully."""

    ada: Agent
    ada_key: str
    bea: Agent
    omar: SignIn
    sofia: SignIn
    amir: SignIn


@pytest.fixture
async def cast(desk: Desk) -> Cast:
    omar = await add_person(desk, "Omar", roles=["operator"])
    sofia = await add_person(desk, "Sofia", roles=["supervisor"])
    amir = await add_person(desk, "Amir", roles=["auditor"])
    ada, key = await add_agent(desk, "Ada", owner="Omar")
    bea, _ = await add_agent(desk, "Bea", owner=None)
    return Cast(
        ada,
        key,
        bea,
        SignIn(omar, "session"),
        SignIn(sofia, "session"),
        SignIn(amir, "session"),
    )


@pytest.fixture
def ada(cast: Cast) -> Agent:
    return cast.ada


@pytest.fixture
def omar(cast: Cast) -> SignIn:
    return cast.omar


@pytest.fixture
def sofia(cast: Cast) -> SignIn:
    return cast.sofia


@pytest.fixture
def amir(cast: Cast) -> SignIn:
    return cast.amir
