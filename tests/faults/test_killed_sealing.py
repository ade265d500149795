"""Sealing the addresses of an older database is killed with signal 9; the next start finishes it."""

from __future__ import annotations

import random
from pathlib import Path

import anyio
import pytest
from tests._support.before import SECRET, address_of, make_old_database
from tests._support.cases import bytes_on_disk
from tests._support.clock import HandClock
from tests._support.processes import player
from tests.promises import promise

from signoff.audit.keys import create_keys
from signoff.domain.ids import new_id
from signoff.store.sealing import open_sealing
from signoff.store.sqlite import open_store

LOG = "signoff.example/test"
PEOPLE, ALERTS = 200, 3000
ROUNDS = [
    pytest.param(5, id="5"),
    pytest.param(50, id="50", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
]


@promise("nothing-lost")
@pytest.mark.parametrize("rounds", ROUNDS)
async def test_kill_9_while_addresses_are_sealed_loses_none_and_leaves_none_open(
    tmp_path: Path, rounds: int
) -> None:
    chance = random.Random(20261125)  # noqa: S311 -- when to kill, not a secret
    finished = 0
    for turn in range(rounds):
        home = tmp_path / str(turn)
        create_keys(home / "keys", origin=LOG)
        (home / "policy.yaml").write_text("version: 1\n", encoding="utf-8")
        path = home / "signoff.db"
        make_old_database(path, log=LOG, people=PEOPLE, alerts=ALERTS)
        with anyio.fail_after(30):
            async with player(home, "open") as sealing:
                await sealing.go()
                with anyio.move_on_after(chance.uniform(0, 0.3)):
                    finished += await sealing.hear() == 0
                await sealing.kill()

        sealing_now = open_sealing(home / "keys")
        async with open_store(path, log=LOG, clock=HandClock(), new_id=new_id, sealing=sealing_now) as store:
            async with store.reading() as reader:
                people = {one.id: one.addresses for one in await reader.people()}
                alerts = [one for one, _ in await reader.alerts_of_case("esc_1")]
            assert SECRET.encode() not in bytes_on_disk(path)
        assert len(people) == PEOPLE
        for number in range(PEOPLE):
            assert [one.url for one in people[f"per_{number}"]] == ["terminal:", address_of(number)]
        assert sorted(one.address for one in alerts) == sorted(address_of(n % PEOPLE) for n in range(ALERTS))
    assert finished < rounds  # some were killed in the middle
