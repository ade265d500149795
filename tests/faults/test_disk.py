"""A disk that is really full, or really read-only: a small file system in memory, where the test may mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest
from tests._support.cases import WIRE, approve, ask, verified
from tests._support.clock import HandClock
from tests.conftest import POLICY
from tests.promises import promise

from signoff.audit.keys import CheckpointSigner, create_keys
from signoff.desk.check import check_triggers
from signoff.desk.claim import claim
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.look import look
from signoff.desk.people import add_agent, add_person
from signoff.desk.wait import wait_for_decision
from signoff.domain.bundle import Material
from signoff.domain.errors import StoreUnavailable
from signoff.domain.ids import new_id
from signoff.domain.people import SignIn
from signoff.store.sqlite import open_snapshot, open_store
from signoff.triggers.watch import PolicyFile


def run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """Six megabytes that fill up."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)):
        pytest.skip("mounting a file system needs root")
    try:
        yield place
    finally:
        assert run("umount", "-l", str(place))


@promise("fail-closed", "nothing-lost")
async def test_a_full_disk_refuses_and_loses_nothing_and_freeing_space_is_enough(
    small_disk: Path, tmp_path: Path, clock: HandClock
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    keys = create_keys(tmp_path / "keys")  # on another disk, as the design wants it
    ballast = small_disk / "ballast"
    settings = DeskSettings(base_url="http://127.0.0.1:8717", undo_s=0)
    async with open_store(small_disk / "signoff.db", log=keys.origin, clock=clock, new_id=new_id) as store:
        desk = Desk(
            store, PolicyFile(tmp_path / "policy.yaml"), keys, CheckpointSigner(keys), clock, new_id, settings
        )
        omar = SignIn(await add_person(desk, "Omar", roles=["operator"]), "session")
        ada, _ = await add_agent(desk, "Ada", owner=None)
        approved = (await ask(desk, ada)).escalation_id
        await approve(desk, omar, approved)
        waiting = (await ask(desk, ada)).escalation_id
        view = await look(desk, omar, waiting)
        ballast.write_bytes(b"")
        with ballast.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        acknowledged = 2
        large = Material(state="x" * 50_000)
        with suppress(StoreUnavailable):
            while True:  # until what SQLite had set aside is used up
                await ask(desk, ada, material=large)
                acknowledged += 1
        with pytest.raises(StoreUnavailable) as refused:
            await ask(desk, ada, material=large)
        assert refused.value.code == "store_unavailable"
        assert "disk" in refused.value.message
        async with desk.store.reading() as reader:
            assert await reader.count_cases() == acknowledged
            assert (await reader.case(waiting)) == view.case  # reading goes on
        ballast.unlink()
        assert (await claim(desk, ada, approved, WIRE)).claimed_at is not None
        await approve(desk, omar, waiting)
        assert (await wait_for_decision(desk, ada, waiting)).status == "approved"
        report = await verified(desk)
        assert (report.problems, report.cases) == ((), acknowledged)


@promise("fail-closed")
async def test_a_disk_that_became_read_only_is_said_so_and_nothing_is_lost(
    small_disk: Path, tmp_path: Path, clock: HandClock
) -> None:
    path = small_disk / "signoff.db"
    async with open_store(path, log="signoff.example/test", clock=clock, new_id=new_id):
        pass
    assert run("mount", "-o", "remount,ro", str(small_disk))
    with pytest.raises(StoreUnavailable) as refused:
        async with open_store(path, log="signoff.example/test", clock=clock, new_id=new_id):
            pass
    assert "writable" in refused.value.message
    async with open_snapshot(path) as reader:  # a verifier needs no more
        assert await reader.count() == 0
    assert run("mount", "-o", "remount,rw", str(small_disk))
    async with open_store(path, log="signoff.example/test", clock=clock, new_id=new_id):
        pass


@promise("fail-closed", "nothing-lost")
async def test_on_a_full_disk_a_check_that_a_policy_counts_is_refused_and_the_count_stays_exact(
    small_disk: Path, tmp_path: Path, clock: HandClock
) -> None:
    counting = "version: 1\nsignals:\n  n: {count: true, over: 1h}\ntriggers:\n  - {id: many, when: signals.n > 100000, then: deny}\n"
    (tmp_path / "policy.yaml").write_text(counting, encoding="utf-8")
    keys = create_keys(tmp_path / "keys")
    settings = DeskSettings(base_url="http://127.0.0.1:8717", undo_s=0)
    async with open_store(small_disk / "signoff.db", log=keys.origin, clock=clock, new_id=new_id) as store:
        desk = Desk(
            store, PolicyFile(tmp_path / "policy.yaml"), keys, CheckpointSigner(keys), clock, new_id, settings
        )
        ada, _ = await add_agent(desk, "Ada", owner=None)
        await check_triggers(desk, ada, WIRE, Material())
        with (small_disk / "ballast").open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        answered = 1
        noise = Material(state=os.urandom(60_000).hex())
        with suppress(StoreUnavailable):
            while True:  # until what SQLite had set aside is used up
                await check_triggers(desk, ada, WIRE, noise)
                answered += 1
        with pytest.raises(StoreUnavailable) as refused:
            await check_triggers(desk, ada, WIRE, noise)
        assert "disk" in refused.value.message
        (small_disk / "ballast").unlink()
        await check_triggers(desk, ada, WIRE, Material())
        async with store.reading() as reader:
            asked = [one async for one in reader.asked_since(clock.now())]
        assert asked[-1].history == {"n": answered + 1}
        assert len(asked) == answered + 1
