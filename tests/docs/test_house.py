"""What the house promises to those who install it: locks without hosts, an image without root, one entry for CI."""

import re
import tomllib
from pathlib import Path

import pytest

from signoff.config import Settings

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / ".ci").glob("*.lock"))
LAST_STAGE = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]


def instructions(keyword: str) -> list[str]:
    joined = LAST_STAGE.replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in joined.splitlines() if line.startswith(f"{keyword} ")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_every_package_with_hashes_and_names_no_host(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert all(re.match(r"[a-z0-9._-]+==\S+( ;[^\\]*)? \\\n    --hash=sha256:", entry) for entry in entries)
    assert "://" not in lock.read_text()


def test_the_lock_holds_every_declared_package() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [
        *pyproject["project"]["dependencies"],
        *(
            entry
            for group in pyproject["dependency-groups"].values()
            for entry in group
            if isinstance(entry, str)
        ),
    ]
    names = {re.split(r"[^A-Za-z0-9._-]", entry)[0].lower() for entry in declared}
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / ".ci/requirements.lock").read_text(), re.MULTILINE))
    assert names <= locked


def test_the_image_runs_as_somebody_who_is_not_root() -> None:
    assert instructions("USER") == ["signoff"]


def test_the_image_asks_its_own_health_on_the_port_it_serves() -> None:
    port = Settings.model_fields["port"].default
    assert instructions("EXPOSE") == [str(port)]
    (health,) = instructions("HEALTHCHECK")
    assert f"http://127.0.0.1:{port}/healthz" in health


def test_the_image_keeps_its_home_in_a_volume() -> None:
    assert instructions("VOLUME") == ["/data"]
    assert "SIGNOFF_HOME=/data" in instructions("ENV")[0]


def test_ci_runs_make_check_and_nothing_else() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    commands = [line for line in lines if not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make check"]
