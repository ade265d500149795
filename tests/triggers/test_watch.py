import os
import sys
from pathlib import Path

import pytest

from signoff.domain.errors import PolicyInvalid
from signoff.triggers.watch import PolicyFile

GOOD = "version: 1\ntriggers: [{id: first, then: deny}]\n"
BETTER = "version: 1\ntriggers: [{id: second, then: escalate}]\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "policy.yaml"
    made.write_text(GOOD, encoding="utf-8")
    return made


def replace(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def test_a_changed_file_counts_from_the_next_call(path: Path) -> None:
    file = PolicyFile(path)
    first = file.current()
    assert file.current() is first

    replace(path, BETTER)

    assert [trigger.id for trigger in file.current().policy.triggers] == ["second"]
    assert file.problem is None


def test_a_bad_new_file_keeps_the_old_policy_and_says_so(path: Path) -> None:
    file = PolicyFile(path)
    replace(path, "version: 1\ntriggers: [{id: x, then: maybe}]\n")

    assert [trigger.id for trigger in file.current().policy.triggers] == ["first"]
    assert file.problem is not None
    assert "policy.yaml:2:26: triggers[0].then: 'maybe' is not one of allow, escalate, deny" in file.problem
    assert "stays in force" in file.problem

    replace(path, BETTER)

    assert [trigger.id for trigger in file.current().policy.triggers] == ["second"]
    assert file.problem is None


def test_a_bad_file_is_loaded_once_and_not_at_each_call(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = PolicyFile(path)
    replace(path, "nonsense")
    file.current()
    monkeypatch.setattr("signoff.triggers.watch.load_policy", lambda *_, **__: pytest.fail("loaded again"))

    assert file.current().digest
    assert file.problem is not None


def test_a_removed_file_keeps_the_old_policy_until_it_is_back(path: Path) -> None:
    file = PolicyFile(path)
    path.unlink()

    assert [trigger.id for trigger in file.current().policy.triggers] == ["first"]
    assert file.problem is not None

    replace(path, GOOD)

    assert file.current().digest
    assert file.problem is None


def test_a_file_that_changes_while_it_is_read_waits_for_the_next_call(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = PolicyFile(path)
    replace(path, BETTER)
    stat = os.fstat
    sizes = iter([0, 1])

    def growing(number: int) -> os.stat_result:
        found = list(stat(number))
        found[6] += next(sizes)
        return os.stat_result(found)

    monkeypatch.setattr("signoff.triggers.watch.os.fstat", growing)
    assert [trigger.id for trigger in file.current().policy.triggers] == ["first"]
    monkeypatch.undo()

    assert [trigger.id for trigger in file.current().policy.triggers] == ["second"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells who has a file open")
def test_a_file_that_is_still_being_written_waits_though_its_first_half_is_a_policy(path: Path) -> None:
    file = PolicyFile(path)
    with path.open("w", encoding="utf-8") as writing:
        writing.write("version: 1\ntriggers: [{id: half, then: allow}]\n")
        writing.flush()

        assert [trigger.id for trigger in file.current().policy.triggers] == ["first"]
        assert "still being written" in str(file.problem)

    assert [trigger.id for trigger in file.current().policy.triggers] == ["half"]
    assert file.problem is None


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"version: 1\ntriggers: [", b"x" * 300_000, None])
def test_nothing_starts_without_a_policy_that_can_be_read(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    with pytest.raises(PolicyInvalid) as caught:
        PolicyFile(path)

    assert caught.value.source == "policy.yaml"
