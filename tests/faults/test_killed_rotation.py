"""A key rotation is killed with signal 9 at each of its steps; the next start finishes it and nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import anyio.to_thread
import pytest
from tests.cli.conftest import environment
from tests.promises import promise

from signoff.app import open_desk, publish, verify_database
from signoff.audit.keyring import unfinished_rotations
from signoff.audit.keys import last_signed, load_public
from signoff.config import Home, load_config
from signoff.desk.rotate import list_keys, rotate_key

KILLED = """
import os, signal, sys
from pathlib import Path
left, replace = [int(sys.argv[1])], Path.replace

def counted(self, target):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return replace(self, target)

Path.replace = counted
from signoff.cli import signoff
signoff(["keys", "rotate", "--purpose", "log", "--overlap", "1m"])
"""
STEPS = 6  # files that a rotation of the log's key puts in place


@promise("nothing-lost")
@pytest.mark.parametrize("step", range(STEPS))
async def test_a_rotation_killed_at_any_step_is_finished_by_the_next_start(tmp_path: Path, step: int) -> None:
    home = Home(tmp_path / "home")
    config = load_config(home)
    async with open_desk(config) as desk:
        await publish(desk, home)
    pinned = load_public(home.keys)
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-c", KILLED, str(step)], env=environment(home), capture_output=True, check=False
        )
    )
    assert done.returncode == -signal.SIGKILL, done.stderr

    async with open_desk(config) as desk:
        assert unfinished_rotations(home.keys) == []
        if [one.state for one in await list_keys(desk)].count("overlap") == 0:
            await rotate_key(desk, "log")  # it died before the two keys had signed: said again
        assert [one.state for one in await list_keys(desk)] == ["overlap", "current", "current"]
        await publish(desk, home)
    anchor = last_signed(home.keys)
    assert anchor is not None
    for public in (pinned, load_public(home.keys)):
        report = await verify_database(
            home.database, public, on_progress=lambda done, of: None, anchors=[anchor]
        )
        assert report.problems == ()
        assert report.newest is not None
        assert report.newest.size == report.events
