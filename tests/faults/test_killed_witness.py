"""A witness killed at any point has forgotten no cosignature that it gave."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import httpx
import pytest
from tests._support.witness_process import environment, keygen, witnessing
from tests._support.witnessing import fork_of, new_log

from signoff.audit.cosignature import cosignatures_of


@pytest.mark.parametrize("after", [1, 5, 20])
async def test_a_witness_killed_while_it_cosigns_never_takes_back_what_it_said(
    tmp_path: Path, after: int
) -> None:
    log = new_log()
    key = keygen(tmp_path / "w")
    given: list[int] = []
    enough = anyio.Event()

    async def press(url: str) -> None:
        """Send one checkpoint after the other until the witness is gone."""
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            size = 0
            while True:
                try:
                    reply = await http.post("/add-checkpoint", content=log.request(size, size + 1))
                except httpx.HTTPError:
                    return
                assert reply.status_code == 200
                assert cosignatures_of(log.note(size + 1) + reply.text, [key])
                size += 1
                given.append(size)
                if len(given) >= after:
                    enough.set()

    with anyio.fail_after(50):
        async with (
            witnessing(tmp_path / "w", log.key.verifier.text) as witness,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(press, witness.url)
            await enough.wait()
            await witness.kill()
        last = given[-1]
        async with (
            witnessing(tmp_path / "w", log.key.verifier.text) as witness,
            httpx.AsyncClient(base_url=witness.url, timeout=30) as http,
        ):
            known = await http.post("/add-checkpoint", content=log.request(0, last + 5))
            assert known.status_code == 409
            held = int(known.text)
            # At most the one whose answer was on its way when the witness died.
            assert last <= held <= last + 1
            fork = fork_of(log, at=last - 1)
            for old, new in ((last - 1, last), (held, held), (held, held + 5)):
                refused = await http.post("/add-checkpoint", content=fork.request(old, new))
                assert refused.status_code in (409, 422)
            assert (
                await http.post("/add-checkpoint", content=log.request(held, held + 5))
            ).status_code == 200


def test_a_witness_loads_no_database_and_nothing_of_the_desk(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom signoff.cli import signoff\nfrom signoff.witness import web\n"
        f"signoff(['witness', 'keygen', '--name', 'w', '--home', {str(tmp_path / 'w')!r}], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", script], env=environment(), capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.split())
    assert "signoff.witness.state" in loaded
    assert not loaded & {
        "aiosqlite",
        "sqlite3",
        "pysqlite3",
        "aiosql",
        "signoff.store",
        "signoff.desk",
        "mcp",
    }
