"""A receipt with its proof, and evidence, from a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests._support.cases import approve

from signoff.app import open_desk
from signoff.cli import signoff
from signoff.config import Config
from signoff.desk.people import list_people, local_agent
from signoff.desk.request import request_approval
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.people import SignIn

VECTORS = Path(__file__).parents[1] / "audit" / "vectors"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(signoff, [*map(str, arguments)])


async def decided(config: Config, order: str) -> tuple[str, str]:
    """Return receipt and proof of a case that was approved."""
    action = Action(tool="issue_refund", arguments={"order": order, "amount": "1240.00"})
    async with open_desk(config) as desk:
        agent = await local_agent(desk, "ada")
        case = await request_approval(desk, agent, action, Material())
        (person,) = await list_people(desk)
        await approve(desk, SignIn(person, "session"), case.escalation_id, note="Charged twice.")
        told = await wait_for_decision(desk, agent, case.escalation_id)
    assert told.receipt is not None
    assert told.proof is not None
    return told.receipt, told.proof


async def test_a_receipt_is_checked_against_the_log_that_its_proof_names(
    config: Config, tmp_path: Path
) -> None:
    (token, proof), (_, other) = await decided(config, "A-1"), await decided(config, "A-2")
    keys = config.home.keys
    files = {name: tmp_path / name for name in ("proof", "other", "cut")}
    for name, text in {"proof": proof, "other": other, "cut": proof[:-40]}.items():
        files[name].write_text(text, encoding="utf-8")
    keyed = ("verify-receipt", token, "--jwks", keys / "receipt.pub", "--key", keys / "log.pub", "--proof")

    held = run(*keyed, files["proof"])
    assert held.exit_code == 0, held.output
    assert "in the log, under its signed checkpoint of" in held.output
    for name, said in (("other", "another event"), ("cut", "does not prove it")):
        refused = run(*keyed, files[name])
        assert refused.exit_code == 1
        assert said in refused.stderr
        assert "holds." not in refused.output.replace(refused.stderr, "")
    foreign = run(*keyed[:4], "--key", VECTORS / "log.pub", "--proof", files["proof"])
    assert foreign.exit_code == 1
    assert "none of the given keys signed it" in foreign.stderr


@pytest.mark.parametrize(
    ("name", "first"), [("edited", 3), ("case-proof-flipped", 1), ("payload-edited", 11)]
)
def test_the_first_bad_event_of_an_evidence_file_is_named(name: str, first: int, config: Config) -> None:
    refused = run(
        "audit", "verify", "--home", config.home.path, "--bundle", VECTORS / f"{name}.zip",
        "--key", VECTORS / "log.pub",
    )  # fmt: skip
    assert refused.exit_code == 1
    assert refused.stderr.strip().endswith(f"First bad event: {first}.")


def test_whoever_has_no_key_is_told_that_the_file_vouches_for_its_own(tmp_path: Path) -> None:
    held = run("audit", "verify", "--home", tmp_path / "none", "--bundle", VECTORS / "good-case.zip")
    assert held.exit_code == 0, held.output
    assert "The keys came from the file itself." in held.output
    assert not (tmp_path / "none").exists()


def test_what_is_no_evidence_is_bad_input(tmp_path: Path, config: Config) -> None:
    path = tmp_path / "what.zip"
    path.write_bytes(b"PK no")
    refused = run(
        "audit", "verify", "--home", config.home.path, "--bundle", path, "--key", VECTORS / "log.pub"
    )
    assert refused.exit_code == 2
    assert "not an evidence file" in refused.stderr
