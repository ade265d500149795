"""Checkpoints kept elsewhere: each place at its own pace, none that holds up a decision, all of them asked at start."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Generator
from pathlib import Path

import anyio
import pytest
import yaml
from tests._support.cases import approve, second_hand
from tests._support.clock import HandClock
from tests._support.http_place import http_place
from tests._support.witness_process import RunningWitness, keygen, witnessing
from tests._support.witnessing import new_log

from signoff.app import open_desk
from signoff.app.anchors import Standing, publish_to, standings
from signoff.app.outbound import Unreachable, send
from signoff.app.recovery import confirm_recovery, propose_recovery
from signoff.app.standing import why_read_only
from signoff.audit.checkpoint import verify_note
from signoff.audit.cosignature import cosignatures_of
from signoff.config import Config, Home, load_config
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.claim import claim
from signoff.desk.desk import Desk
from signoff.desk.follow import published_checkpoint
from signoff.desk.people import add_person, list_people, local_agent
from signoff.desk.request import request_approval
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.errors import Conflict
from signoff.domain.people import SignIn

REFUND = Action(tool="issue_refund", arguments={"order": "A-1042", "amount": "1240.00"})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def configured(home: Home, *anchors: object) -> Config:
    load_config(home)
    text = yaml.safe_dump({"undo_s": 0, "anchors": list(anchors)})
    home.config_file.write_text(text, encoding="utf-8")
    return load_config(home)


def vkey(home: Home) -> str:
    return (home.keys / "log.pub").read_text(encoding="utf-8").strip()


async def sign_something(desk: Desk) -> str:
    """Let something happen and sign it."""
    ada = await local_agent(desk, "ada")
    await request_approval(desk, ada, REFUND, Material())
    note = await publish_checkpoint(desk)
    assert note is not None
    return note


async def publish(desk: Desk, config: Config, number: int = 0) -> Standing:
    return await publish_to(desk, config.home, config.settings.anchors[number])


async def why_not(config: Config, clock: HandClock) -> str:
    """Return why a desk is read-only."""
    async with open_desk(config, clock=clock) as desk:
        assert desk.store.read_only is not None
        return desk.store.read_only


async def recovered(desk: Desk, config: Config) -> None:
    code = await propose_recovery(
        desk, config, by="Sofia", confirmer="Amir", reason="the disk died", assurance="none"
    )
    await confirm_recovery(desk, config, by="Amir", code=code)


@pytest.fixture
async def made(home: Home, clock: HandClock) -> Home:
    """A home with its keys and a log of some events."""
    async with open_desk(configured(home), clock=clock) as desk:
        await add_person(desk, "Sofia", roles=["supervisor"])
        await add_person(desk, "Amir", roles=["admin"])
        await sign_something(desk)
    return home


async def test_a_further_file_gets_the_newest_checkpoint(
    made: Home, tmp_path: Path, clock: HandClock
) -> None:
    path = tmp_path / "elsewhere" / "checkpoint"
    config = configured(made, {"kind": "file", "path": str(path)})
    async with open_desk(config, clock=clock) as desk:
        missing = await publish(desk, config)
        assert "No such file" in missing.error
        clock.advance(60)
        assert (await publish(desk, config)).failing_since == missing.failing_since
        path.parent.mkdir()
        note = await sign_something(desk)
        standing = await publish(desk, config)
        assert path.read_text(encoding="utf-8") == note
    assert (standing.error, standing.size) == ("", verify_note(note, desk.keys.public().log).size)


async def test_an_http_place_gets_the_newest_checkpoint_and_is_asked_at_start(
    made: Home, clock: HandClock, tmp_path: Path
) -> None:
    shutil.copytree(made.path, tmp_path / "yesterday")
    async with http_place() as place:
        config = configured(made, {"kind": "http", "url": place.url, "allow_private": True})
        async with open_desk(config, clock=clock) as desk:
            note = await sign_something(desk)
            assert (await publish(desk, config)).error == ""
            assert place.held == note.encode()
            place.status = 500
            await sign_something(desk)
            assert "status 500" in (await publish(desk, config)).error
            assert place.held == note.encode()
        place.status = 201
        # Everything is put back: database, keys and anchors. Only the place outside is not.
        shutil.rmtree(made.path)
        shutil.copytree(tmp_path / "yesterday", made.path)
        config = configured(made, {"kind": "http", "url": place.url, "allow_private": True})
        assert "does not contain" in await why_not(config, clock)
        assert place.held == note.encode()  # what shows the restore is not written over
        assert place.asked[-1][0] == "GET"


async def test_a_witness_cosigns_and_its_word_is_published(
    made: Home, tmp_path: Path, clock: HandClock
) -> None:
    key = keygen(tmp_path / "w")
    with anyio.fail_after(50):
        async with witnessing(tmp_path / "w", vkey(made)) as witness:
            config = configured(made, anchor(witness, key.text))
            async with open_desk(config, clock=clock) as desk:  # asks it, which is the first cosignature
                for _ in range(3):
                    note = await sign_something(desk)
                    assert (await publish(desk, config)).error == ""
                    shown = await published_checkpoint(desk)
                    assert shown.startswith(note)
                    assert [one.key for one in cosignatures_of(shown, [key])] == [key]
                assert await why_read_only(config, desk) is None


def anchor(witness: RunningWitness, key: str) -> dict[str, object]:
    return {"kind": "witness", "url": witness.url, "key": key, "allow_private": True}


async def test_a_witness_shows_that_yesterdays_home_was_put_back(
    made: Home, tmp_path: Path, clock: HandClock
) -> None:
    key = keygen(tmp_path / "w")
    shutil.copytree(made.path, tmp_path / "yesterday")
    with anyio.fail_after(50):
        async with witnessing(tmp_path / "w", vkey(made)) as witness:
            config = configured(made, anchor(witness, key.text))
            async with open_desk(config, clock=clock) as desk:
                await sign_something(desk)
                size = (await publish(desk, config)).size
            shutil.rmtree(made.path)
            shutil.copytree(tmp_path / "yesterday", made.path)
            config = configured(made, anchor(witness, key.text))
            assert f"has cosigned {size} events" in await why_not(config, clock)
        # The witness is away now; what it said stands.
        assert f"has cosigned {size} events" in await why_not(config, clock)
        # A log that grows past what was cosigned is no less another one.
        async with open_desk(configured(made), clock=clock) as desk:
            for _ in range(10):
                await sign_something(desk)
        async with witnessing(tmp_path / "w", vkey(made)) as witness:
            config = configured(made, anchor(witness, key.text))
            assert "another one, or its history was rewritten" in await why_not(config, clock)


async def test_a_witness_that_is_away_holds_up_no_decision_and_catches_up(
    made: Home, tmp_path: Path, clock: HandClock
) -> None:
    key = keygen(tmp_path / "w")
    async with witnessing(tmp_path / "w", vkey(made)) as witness:
        url = witness.url
    config = configured(made, {"kind": "witness", "url": url, "key": key.text, "allow_private": True})
    with anyio.fail_after(50):
        async with open_desk(config, clock=clock) as desk:
            ada = await local_agent(desk, "ada")
            (person,) = [one for one in await list_people(desk) if "operator" in one.roles]
            told = await request_approval(desk, ada, REFUND, Material())
            await approve(desk, SignIn(person, "session"), told.escalation_id, note="paid")
            assert (await wait_for_decision(desk, ada, told.escalation_id)).status == "approved"
            assert (await claim(desk, ada, told.escalation_id, REFUND)).claimed_at is not None
            pauses = [(await publish(desk, config)).pause_s for _ in range(12)]
            assert pauses == sorted(pauses)
            assert pauses[-1] == 300
            assert "cannot be reached" in standings(config)[0].error
            assert await why_read_only(config, desk) is None
            async with witnessing(tmp_path / "w", vkey(made), port=int(url.rpartition(":")[2])):
                standing = await publish(desk, config)
            assert (standing.error, standing.failures, standing.pause_s) == ("", 0, 5)


async def test_a_witness_with_another_key_or_without_this_log_is_no_witness(
    made: Home, tmp_path: Path, clock: HandClock
) -> None:
    key, other = keygen(tmp_path / "w"), keygen(tmp_path / "other")
    async with witnessing(tmp_path / "w", vkey(made)) as witness:
        config = configured(made, anchor(witness, other.text))
        async with open_desk(config, clock=clock) as desk:
            assert "another key" in standings(config)[0].error
    async with witnessing(tmp_path / "w", new_log().key.verifier.text) as witness:
        config = configured(made, anchor(witness, key.text))
        async with open_desk(config, clock=clock) as desk:
            assert "status 404" in standings(config)[0].error
            assert cosignatures_of(await published_checkpoint(desk), [key, other]) == []


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/x", "http://localhost:1/x", "http://[::1]:1/x", "http://10.1.2.3/x", "http://169.254.169.254/x",
     "http://[::ffff:127.0.0.1]:1/x", "http://0.0.0.0:1/x", "http://[64:ff9b::7f00:1]/x", "http://[2002:7f00:1::]/x",
     "http://100.64.0.1/x", "http://224.0.0.1/x"],
)  # fmt: skip
async def test_an_address_that_is_not_public_is_not_spoken_to(url: str) -> None:
    with pytest.raises(Unreachable, match="not public"):
        await send("GET", url)


async def test_a_redirect_is_not_followed_and_a_long_answer_is_not_read() -> None:
    async with http_place() as place:
        moved = place.url.replace("checkpoint", "moved")
        assert (await send("GET", moved, allow_private=True)).status == 307
        assert len(place.asked) == 1
        host = place.url.split("/")[2]
        by_name = place.url.replace("127.0.0.1", "localhost")
        assert (await send("PUT", by_name, content="x", allow_private=True)).status == 201
        assert place.asked[-1] == ("PUT", host.replace("127.0.0.1", "localhost"))
        with pytest.raises(Unreachable, match="more than 10 bytes"):
            await send("PUT", place.url, content="x", allow_private=True, most_bytes=10)


async def test_a_place_that_never_answers_is_given_up(unanswered: str) -> None:
    with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
        await send("GET", unanswered, allow_private=True, time_limit_s=0.2)


@pytest.fixture
def unanswered() -> Generator[str]:
    """A port on which somebody listens and nobody speaks."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


async def test_a_row_edited_below_a_kept_cosigned_checkpoint_is_noticed_without_the_witness(
    made: Home, tmp_path: Path, clock: HandClock
) -> None:
    key = keygen(tmp_path / "w")
    async with witnessing(tmp_path / "w", vkey(made)) as witness:
        config = configured(made, anchor(witness, key.text))
        async with open_desk(config, clock=clock) as desk:
            await publish(desk, config)
    # An administrator rewrites the last event's hash, and what is kept beside key and data with it.
    (made.keys / "log.signed").unlink()
    made.anchor_file.unlink(missing_ok=True)
    with second_hand(made.database) as db:
        db.execute("DROP TRIGGER audit_event_stays")
        db.execute("UPDATE audit_event SET leaf = zeroblob(32)")
        db.execute("UPDATE audit_node SET hash = zeroblob(32)")
    assert "does not contain" in await why_not(config, clock)


async def test_places_take_the_new_history_after_a_recovery_and_a_witness_keeps_to_the_old_one(
    made: Home, tmp_path: Path, clock: HandClock
) -> None:
    """Everything is put back; what is given up is named by the checkpoint that a place outside holds."""
    shutil.copytree(made.path, tmp_path / "yesterday")
    key = keygen(tmp_path / "w")
    with anyio.fail_after(50):
        async with http_place() as place, witnessing(tmp_path / "w", vkey(made)) as witness:
            places = [{"kind": "http", "url": place.url, "allow_private": True}, anchor(witness, key.text)]
            config = configured(made, *places)
            async with open_desk(config, clock=clock) as desk:
                for number in range(2):
                    await sign_something(desk)
                    await publish(desk, config, number)
                old = [(await publish(desk, config, number)).size for number in range(2)]
            assert old[0] == old[1]
            shutil.rmtree(made.path)
            shutil.copytree(tmp_path / "yesterday", made.path)
            config = configured(made, *places)
            async with open_desk(config, clock=clock) as desk:
                assert f"A checkpoint of {old[0]} events is known" in (desk.store.read_only or "")
                await recovered(desk, config)
                assert desk.store.read_only is None
                assert await why_read_only(config, desk) is None
            async with open_desk(config, clock=clock) as desk:
                assert desk.store.read_only is None
                note = await sign_something(desk)
                assert (await publish(desk, config)).error == ""
                assert place.held == note.encode()
                said = await publish(desk, config, 1)
                assert "history that a recovery gave up" in said.error
                assert said.ahead == ""
                assert await why_read_only(config, desk) is None


async def test_what_only_a_witness_knows_can_be_given_up_by_whoever_has_its_checkpoint(
    made: Home, tmp_path: Path, clock: HandClock
) -> None:
    shutil.copytree(made.path, tmp_path / "yesterday")
    key = keygen(tmp_path / "w")
    with anyio.fail_after(50):
        async with witnessing(tmp_path / "w", vkey(made)) as witness:
            config = configured(made, anchor(witness, key.text))
            async with open_desk(config, clock=clock) as desk:
                kept = await sign_something(desk)
                await publish(desk, config)
            shutil.rmtree(made.path)
            shutil.copytree(tmp_path / "yesterday", made.path)
            config = configured(made, anchor(witness, key.text))
            async with open_desk(config, clock=clock) as desk:
                assert "has cosigned" in (desk.store.read_only or "")
                with pytest.raises(Conflict, match="no checkpoint of it is here"):
                    await recovered(desk, config)
                made.anchor_file.parent.mkdir(exist_ok=True)
                made.anchor_file.write_text(kept, encoding="utf-8")
                await recovered(desk, config)
                assert await why_read_only(config, desk) is None
