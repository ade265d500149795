"""A database that was put back from a copy: read-only until two people recover it, and what was erased stays erased."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests._support.cases import WIRE, answer, ask, second_hand
from tests._support.clock import HandClock
from tests._support.processes import ROOT
from tests._support.recoverer import POINTS
from tests.cli.conftest import free_port
from tests.conftest import POLICY
from tests.desk.test_erase import traces
from tests.promises import promise

from signoff.app import open_desk, verify_database
from signoff.app.backup import back_up
from signoff.app.recovery import confirm_recovery, propose_recovery
from signoff.app.standing import contradicting
from signoff.audit.keys import last_signed, load_public
from signoff.audit.report import Report
from signoff.config import Config, Home, load_config
from signoff.desk.check import check_triggers
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.claim import claim
from signoff.desk.close import cancel
from signoff.desk.deliver import lease
from signoff.desk.desk import Desk
from signoff.desk.erase import erase_case, erase_subject
from signoff.desk.look import look
from signoff.desk.people import add_agent, add_person, agent_named, person_named
from signoff.desk.rotate import rotate_key
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.bundle import read_material
from signoff.domain.decision import Answer
from signoff.domain.erasure import check_kinds
from signoff.domain.errors import Conflict, Forbidden, NotFound, StoreUnavailable
from signoff.domain.people import SignIn

ALL = check_kinds([])
MARK = "Müstermann-4711"
MATERIAL = read_material({"subject": {"id": "cust-1", "name": MARK}})
REASON = "the disk died"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = load_config(Home(tmp_path / "home"))
    config.home.config_file.write_text(f"port: {free_port()}\nundo_s: 0\n", encoding="utf-8")
    config.home.policy_file.write_text(POLICY, encoding="utf-8")
    return load_config(config.home)


def copy_of(config: Config, name: str = "yesterday.db") -> Path:
    """Copy the database as it stands, whole, as a backup of the file system does."""
    out = config.home.path.parent / name
    with second_hand(config.home.database) as db:
        db.execute("VACUUM INTO ?", (str(out),))
    return out


def put_back(config: Config, copy: Path) -> None:
    for part in config.home.database.parent.glob("signoff.db*"):
        part.unlink()
    shutil.copyfile(copy, config.home.database)


async def people(desk: Desk) -> None:
    await add_person(desk, "Sofia", roles=["supervisor"])
    await add_person(desk, "Amir", roles=["admin"])
    await add_person(desk, "Omar", roles=["operator"])
    await add_agent(desk, "Ada", owner=None)


async def cancelled_case(desk: Desk) -> str:
    ada = await agent_named(desk, "Ada")
    told = await ask(desk, ada, material=MATERIAL)
    await cancel(desk, ada, told.escalation_id, reason=f"for {MARK}")
    return told.escalation_id


async def verified(config: Config, desk: Desk, *anchors: str) -> Report:
    signed = last_signed(config.home.keys)
    notes = [config.home.anchor_file.read_text(encoding="utf-8"), *anchors]
    return await verify_database(
        config.home.database,
        desk.keys.public(),
        on_progress=lambda done, of: None,
        anchors=notes if signed is None else [*notes, signed],
    )


async def lived(config: Config) -> tuple[Path, str, str]:
    """Live a day, keep a copy, live another; return the copy, a case of the first day, and one of the second."""
    async with open_desk(config) as desk:
        await people(desk)
        first = (await ask(desk, await agent_named(desk, "Ada"), material=MATERIAL)).escalation_id
        await publish(desk, config)
        copy = copy_of(config)
        second = (await ask(desk, await agent_named(desk, "Ada"))).escalation_id
        await publish(desk, config)
    return copy, first, second


async def publish(desk: Desk, config: Config) -> None:
    from signoff.app import publish

    assert await publish(desk, config.home) is not None


@promise("fail-closed", "signed-first")
async def test_yesterdays_database_is_read_and_nothing_is_written_to_it(config: Config) -> None:
    copy, first, _ = await lived(config)
    put_back(config, copy)
    async with open_desk(config) as desk:
        why = desk.store.read_only
        assert why is not None
        assert "A checkpoint of" in why
        assert str(config.home.path) not in why
        sofia = SignIn(await person_named(desk, "Sofia"), "session")
        ada = await agent_named(desk, "Ada")
        async with desk.store.reading() as reader:
            before = await reader.count()
        view = await look(desk, sofia, first)
        assert (view.may_decide, view.document["bundle"]["subject"]["name"]) == (False, MARK)
        verbs: list[Callable[[], Any]] = [
            lambda: ask(desk, ada),
            lambda: answer(desk, sofia, first, Answer("approve", note="checked")),
            lambda: wait_for_decision(desk, ada, first),
            lambda: claim(desk, ada, first, WIRE),
            lambda: cancel(desk, ada, first, reason="x"),
            lambda: erase_case(desk, first, kinds=ALL, by=None),
            lambda: add_person(desk, "Eve", roles=["admin"]),
            lambda: lease(desk, "worker"),
            lambda: publish_checkpoint(desk),
        ]
        for verb in verbs:
            with pytest.raises((StoreUnavailable, Conflict)):
                await verb()
        async with desk.store.reading() as reader:
            assert await reader.count() == before
    async with open_desk(config) as desk:
        assert desk.store.read_only == why


@promise("fail-closed")
async def test_a_store_that_is_read_only_refuses_whatever_is_written(config: Config) -> None:
    async with open_desk(config) as desk:
        desk.store.read_only = "not now"
        ran = False

        async def work(unit: Any) -> None:
            nonlocal ran
            ran = True

        with pytest.raises(StoreUnavailable, match="not now"):
            await desk.store.write(work)
        assert not ran


@promise("provable")
async def test_two_people_recover_the_log_and_it_says_what_was_given_up(config: Config) -> None:
    copy, first, second = await lived(config)
    old = last_signed(config.home.keys)
    assert old is not None
    put_back(config, copy)
    async with open_desk(config) as desk:
        code = await propose_recovery(
            desk, config, by="Sofia", confirmer="Amir", reason=REASON, assurance="none"
        )
        made = await confirm_recovery(desk, config, by="Amir", code=code)
        assert made.epoch == 2
        assert desk.store.read_only is None
        await answer(
            desk,
            SignIn(await person_named(desk, "Sofia"), "session"),
            first,
            Answer("approve", note="checked"),
        )
    async with open_desk(config) as desk:
        assert desk.store.read_only is None
        ada = await agent_named(desk, "Ada")
        assert (await wait_for_decision(desk, ada, first)).status == "approved"
        with pytest.raises(NotFound):
            await wait_for_decision(desk, ada, second)
        for _ in range(20):
            await ask(desk, ada)
        await publish(desk, config)
        report = await verified(config, desk, old)
        assert report.problems == ()
        (recovery,) = report.recoveries
        assert recovery.seq == made.seq
        assert recovery.lost == made.old.size - made.seq > 0
        names = {(await person_named(desk, one)).id for one in ("Sofia", "Amir")}
        assert set(recovery.people) == names
        events = b"".join([body async for body in everything(desk)])
        assert REASON.encode() not in events


@promise("provable")
async def test_whoever_knows_only_the_oldest_key_can_follow_past_rotations_that_were_lost(
    config: Config,
) -> None:
    clock = HandClock()
    async with open_desk(config, clock=clock) as desk:
        await people(desk)
        await publish(desk, config)
        pinned, copy = load_public(config.home.keys), copy_of(config)
        for purpose in ("log", "receipt", "log"):
            await rotate_key(desk, purpose, overlap=timedelta(minutes=1))
            await ask(desk, await agent_named(desk, "Ada"))
            await publish(desk, config)
            clock.advance(120)
        await ask(desk, await agent_named(desk, "Ada"))
        await publish(desk, config)
    old = last_signed(config.home.keys)
    assert old is not None
    put_back(config, copy)
    async with open_desk(config, clock=clock) as desk:
        assert desk.store.read_only is not None
        code = await propose_recovery(
            desk, config, by="Sofia", confirmer="Amir", reason=REASON, assurance="none"
        )
        await confirm_recovery(desk, config, by="Amir", code=code)
        await cancelled_case(desk)
    async with open_desk(config, clock=clock) as desk:
        assert desk.store.read_only is None
        await cancelled_case(desk)
        await publish(desk, config)
        signed = last_signed(config.home.keys) or ""
        report = await verify_database(
            config.home.database, pinned, on_progress=lambda done, of: None, anchors=[old, signed]
        )
        assert (report.problems, len(report.recoveries)) == ((), 1)
        async with desk.store.reading() as reader:
            assert len(await reader.key_rotations()) == 3


@promise("fail-closed")
async def test_an_agent_that_asks_yesterdays_database_what_it_may_do_is_told_to_stop(config: Config) -> None:
    copy, _, _ = await lived(config)
    put_back(config, copy)
    async with open_desk(config) as desk:
        ada = await agent_named(desk, "Ada")
        for tool in ("read_file", "wire_transfer"):
            with pytest.raises(StoreUnavailable, match="read-only"):
                await check_triggers(desk, ada, Action(tool=tool), MATERIAL)
        assert desk.recorder.waiting == 0


async def everything(desk: Desk) -> Any:
    async with desk.store.snapshot() as reader:
        async for page in reader.events():
            for _, body in page:
                yield body


async def test_one_person_cannot_recover_alone_nor_guess_nor_wait_for_ever(config: Config) -> None:
    copy, _, _ = await lived(config)
    async with open_desk(config) as desk:
        with pytest.raises(Conflict, match="nothing to recover"):
            await propose_recovery(
                desk, config, by="Sofia", confirmer="Amir", reason=REASON, assurance="none"
            )
    put_back(config, copy)
    async with open_desk(config) as desk:
        for first, second, why in (
            ("Sofia", "Sofia", "two people"),
            ("Sofia", "Omar", "Omar is neither"),
            ("Omar", "Sofia", "Omar is neither"),
        ):
            with pytest.raises(Forbidden, match=why):
                await propose_recovery(
                    desk, config, by=first, confirmer=second, reason=REASON, assurance="none"
                )
        with pytest.raises(NotFound, match="No recovery is proposed"):
            await confirm_recovery(desk, config, by="Amir", code="x")
        code = await propose_recovery(
            desk, config, by="Sofia", confirmer="Amir", reason=REASON, assurance="none"
        )
        with pytest.raises(Forbidden, match="somebody else"):
            await confirm_recovery(desk, config, by="Sofia", code=code)
        for _ in range(4):
            with pytest.raises(Forbidden, match="not the code"):
                await confirm_recovery(desk, config, by="Amir", code="0" * 20)
        with pytest.raises(Forbidden, match="no longer valid"):
            await confirm_recovery(desk, config, by="Amir", code=code)
        assert desk.store.read_only is not None


async def test_a_proposal_for_another_database_confirms_nothing(config: Config) -> None:
    copy, _, _ = await lived(config)
    async with open_desk(config) as desk:
        await people_more(desk)
        await publish(desk, config)
        newer = copy_of(config, "newer.db")
        await add_person(desk, "Last", roles=["operator"])
        await publish(desk, config)
    put_back(config, copy)
    async with open_desk(config) as desk:
        code = await propose_recovery(
            desk, config, by="Sofia", confirmer="Amir", reason=REASON, assurance="none"
        )
    put_back(config, newer)
    async with open_desk(config) as desk:
        with pytest.raises(Conflict, match="changed since the proposal"):
            await confirm_recovery(desk, config, by="Amir", code=code)
        assert await contradicting(config, desk)


async def people_more(desk: Desk) -> None:
    await add_person(desk, "Selma", roles=["supervisor"])


@promise("nothing-lost", "fail-closed")
@pytest.mark.parametrize("point", POINTS)
async def test_a_recovery_that_is_killed_has_happened_or_has_not(config: Config, point: str) -> None:
    copy, first, _ = await lived(config)
    put_back(config, copy)
    async with open_desk(config) as desk:
        code = await propose_recovery(
            desk, config, by="Sofia", confirmer="Amir", reason=REASON, assurance="none"
        )
    paths = os.pathsep.join((str(ROOT / "server"), str(ROOT)))
    killed = await anyio.run_process(
        [sys.executable, "-m", "tests._support.recoverer", str(config.home.path), code, point],
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    recovered = list(POINTS).index(point) >= 2
    async with open_desk(config) as desk:
        assert (desk.store.read_only is None) == recovered
        if not recovered:
            await confirm_recovery(desk, config, by="Amir", code=code)
        sofia = SignIn(await person_named(desk, "Sofia"), "session")
        await answer(desk, sofia, first, Answer("approve", note="checked"))
        await publish(desk, config)
        report = await verified(config, desk)
        assert (report.problems, len(report.recoveries)) == ((), 1)


@promise("provable", "fail-closed")
async def test_a_recovery_that_nobody_allowed_opens_nothing(config: Config) -> None:
    """Whoever can write to the database can copy a real event of another recovery, but not the key directory's word."""
    copy, _, _ = await lived(config)
    put_back(config, copy)
    async with open_desk(config) as desk:
        code = await propose_recovery(
            desk, config, by="Sofia", confirmer="Amir", reason=REASON, assurance="none"
        )
        await confirm_recovery(desk, config, by="Amir", code=code)
        await ask(desk, await agent_named(desk, "Ada"))
        await publish(desk, config)
        recovered = copy_of(config, "recovered.db")
    put_back(config, copy)
    (config.home.keys / "log.recovered").unlink()
    async with open_desk(config) as desk:
        assert desk.store.read_only is not None
    put_back(config, recovered)
    async with open_desk(config) as desk:
        assert desk.store.read_only is None
    with second_hand(config.home.database) as db:  # cut the new epoch back to its first event
        for name in ("appends", "stays", "remains"):
            db.execute(f"DROP TRIGGER audit_event_{name}")
        db.execute("PRAGMA foreign_keys=OFF")
        db.execute("UPDATE audit_head SET size = size - 1")
    async with open_desk(config) as desk:
        assert desk.store.read_only is not None


# Backups and erasures


@promise("erasable")
async def test_a_restored_backup_is_erased_again_before_it_is_served(config: Config, tmp_path: Path) -> None:
    async with open_desk(config) as desk:
        await people(desk)
        await check_triggers(desk, await agent_named(desk, "Ada"), WIRE, MATERIAL, session=MARK)
        case = await cancelled_case(desk)
        await check_triggers(desk, await agent_named(desk, "Ada"), Action(tool=MARK), MATERIAL)
        await desk.recorder.flush()
        backup = config.home.path.parent / "backup.db"
        assert (await back_up(desk, config, backup, on_progress=lambda done, of: None)).ok
        await erase_subject(desk, "cust-1", kinds=ALL, by=None)
        await publish(desk, config)
    assert traces(config.home.path) == []
    assert traces(tmp_path), "the backup still has it"
    put_back(config, backup)
    assert traces(config.home.path)

    async with open_desk(config) as desk:
        assert desk.store.read_only is not None
        async with desk.store.reading() as reader:
            assert await reader.document(case) is None
            stored = await reader.case(case)
        assert stored is not None
        assert (stored.tool, stored.summary) == ("[erased]", "")
        code = await propose_recovery(
            desk, config, by="Sofia", confirmer="Amir", reason=REASON, assurance="none"
        )
        made = await confirm_recovery(desk, config, by="Amir", code=code)
        assert (
            made.erased_again == 1
        )  # the case; checks have no events that an erasure would have to answer for
        async with desk.store.reading() as reader:
            assert await reader.windows.count() == 0
        assert (await verified(config, desk)).problems == ()
    assert traces(config.home.path) == []
    size = config.home.erasures_file.stat().st_size
    async with open_desk(config) as desk:  # and that is the end of it
        assert (await verified(config, desk)).problems == ()
    assert config.home.erasures_file.stat().st_size == size


@promise("erasable")
async def test_a_backup_in_a_new_home_with_old_anchors_is_erased_again_with_an_event(
    config: Config, tmp_path: Path
) -> None:
    """Nothing shows that the copy is old; the file of erasures alone is enough."""
    async with open_desk(config) as desk:
        await people(desk)
        case = await cancelled_case(desk)
        backup = tmp_path / "backup.db"
        await back_up(desk, config, backup, on_progress=lambda done, of: None)
        await erase_case(desk, case, kinds=ALL, by=None)
        await publish(desk, config)
    new = load_config(Home(tmp_path / "new"))
    shutil.copytree(config.home.keys, new.home.keys)
    (new.home.keys / "log.signed").unlink()
    shutil.copyfile(config.home.erasures_file, new.home.erasures_file)
    shutil.copyfile(backup, new.home.database)

    async with open_desk(new) as desk:
        assert desk.store.read_only is None
        await publish(desk, new)
        report = await verified(new, desk)
        assert (report.problems, report.erased) == ((), 2)
        async with desk.store.reading() as reader:
            assert await reader.document(case) is None
            assert not (await reader.erasure_state()).is_clean  # the host scrubs


async def test_an_erasure_that_was_cut_off_after_its_line_is_done_at_the_next_start(config: Config) -> None:
    async with open_desk(config) as desk:
        await people(desk)
        cases = [await cancelled_case(desk) for _ in range(3)]
        await erase_case(desk, cases[0], kinds=ALL, by=None)
        before = copy_of(config, "before.db")
        await erase_case(desk, cases[1], kinds=ALL, by=None)
    put_back(config, before)  # as if the commit had been lost

    async with open_desk(config) as desk:
        async with desk.store.reading() as reader:
            assert [await reader.document(one) is None for one in cases] == [True, True, False]
        await publish(desk, config)
        assert (await verified(config, desk)).problems == ()


async def test_a_lost_file_of_erasures_is_written_again_from_the_log(config: Config) -> None:
    async with open_desk(config) as desk:
        await people(desk)
        case = await cancelled_case(desk)
        old = copy_of(config)
        await erase_case(desk, case, kinds=ALL, by=None)
    text = config.home.erasures_file.read_bytes()
    config.home.erasures_file.unlink()
    async with open_desk(config):
        assert config.home.erasures_file.read_bytes() == text
    put_back(config, old)
    async with open_desk(config) as desk, desk.store.reading() as reader:
        assert await reader.document(case) is None


@promise("fail-closed")
@pytest.mark.parametrize("line", [b'{"type":"person.added"}', b"[]", b'{"type":"bundle.erased","data":{}}'])
async def test_a_file_of_erasures_that_holds_something_else_stops_the_start(
    config: Config, line: bytes
) -> None:
    async with open_desk(config):
        pass
    config.home.erasures_file.write_bytes(line + b"\n")
    with pytest.raises(StoreUnavailable, match="file of erasures"):
        async with open_desk(config):
            pass


async def test_a_case_is_not_erased_where_the_file_cannot_be_written(config: Config) -> None:
    async with open_desk(config) as desk:
        await people(desk)
        case = await cancelled_case(desk)
        config.home.erasures_file.mkdir()
        with pytest.raises(StoreUnavailable, match="file of erasures"):
            await erase_case(desk, case, kinds=ALL, by=None)
        async with desk.store.reading() as reader:
            assert await reader.document(case) is not None
        config.home.erasures_file.rmdir()


async def test_a_backup_is_one_file_with_its_checkpoint_and_replaces_nothing(
    config: Config, tmp_path: Path
) -> None:
    out = tmp_path / "backup.db"
    async with open_desk(config) as desk:
        await people(desk)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancelled_case, desk)
            await back_up(desk, config, out, on_progress=lambda done, of: None)
        assert names(tmp_path) == ["backup.db", "backup.db.checkpoint"]
        assert oct(out.stat().st_mode)[-3:] == "600"
        with pytest.raises(Exception, match="there already"):
            await back_up(desk, config, out, on_progress=lambda done, of: None)
        note = (tmp_path / "backup.db.checkpoint").read_text(encoding="utf-8")
        report = await verify_database(
            out, desk.keys.public(), on_progress=lambda done, of: None, anchors=[note]
        )
        assert report.problems == ()


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.glob("backup*"))
