"""A home with witnesses, as an administrator and an auditor see it from the shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import yaml
from tests._support.witness_process import keygen, witnessing
from tests.cli.conftest import command, environment, serving

from signoff.audit.cosignature import Cosignature, WitnessKey, cosignatures_of
from signoff.config import Config, Home


def signoff(home: Home, *arguments: str) -> tuple[int, str]:
    """Return exit code and everything printed."""
    done = subprocess.run(  # noqa: S603 - our own program
        command(*arguments),
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    return done.returncode, done.stdout


async def test_a_server_has_its_checkpoints_cosigned_and_an_auditor_verifies_a_quorum(
    config: Config, tmp_path: Path
) -> None:
    home = config.home

    async def run(*arguments: str) -> tuple[int, str]:
        return await anyio.to_thread.run_sync(lambda: signoff(home, *arguments))

    keys = [keygen(tmp_path / f"w{one}", f"w{one}.example/witness") for one in (1, 2)]
    stranger = keygen(tmp_path / "w3", "w3.example/witness")
    code, _ = await run("agents", "add", "ada", "--owner", "omar")
    assert code == 0
    log_key = (home.keys / "log.pub").read_text(encoding="utf-8").strip()
    with anyio.fail_after(55):
        async with (
            witnessing(tmp_path / "w1", log_key) as one,
            witnessing(tmp_path / "w2", log_key) as two,
        ):
            anchors = [
                {"kind": "witness", "url": witness.url, "key": key.text, "allow_private": True}
                for witness, key in zip((one, two), keys, strict=True)
            ]
            settings = {"port": config.settings.port, "anchors": anchors, "checkpoint_every_s": 1}
            home.config_file.write_text(yaml.safe_dump(settings), encoding="utf-8")
            async with serving(home) as server, httpx.AsyncClient(base_url=config.base_url) as client:
                found: list[Cosignature] = []
                while len(found) < 2:
                    found = cosignatures_of((await client.get("/audit/checkpoint")).text, keys)
                assert {made.key.name for made in found} == {key.name for key in keys}
                assert await server.end() == 0
            code, said = await run("doctor")
            assert code == 0, said
            assert said.count("has the checkpoint of") == 2
        code, said = await run("doctor")
        assert code == 1
        assert said.count("cannot be reached") >= 2
        trusted: list[str] = [part for key in keys for part in ("--witness", key.text)]
        code, said = await run("audit", "verify", *trusted)
        assert code == 0, said
        assert "Witnessed by 2 of 2" in said
        third = [*trusted, "--witness", stranger.text]
        code, said = await run("audit", "verify", *third)
        assert code == 1
        assert "2 of 3 witnesses cosigned this log, and 3 must have." in said
        code, said = await run("audit", "verify", *third, "--quorum", "2")
        assert (code, "Witnessed by 2 of 3" in said) == (0, True)
        # One witness under two names is one witness.
        alias = WitnessKey("alias.example/witness", keys[0].public).text
        twice = ("--witness", keys[0].text, "--witness", alias, "--quorum", "2")
        code, said = await run("audit", "verify", *twice)
        assert (code, "2 of 1 witnesses" in said) == (2, True)
