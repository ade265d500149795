"""Addresses at rest: sealed under a key outside the database, bound to their person, and nowhere else in its files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests._support.before import SECRET, address_of, make_old_database
from tests._support.cases import ask, bytes_on_disk, second_hand
from tests._support.clock import HandClock
from tests.conftest import Cast

from signoff.audit.keys import KeyExposed, KeyInvalid
from signoff.desk.deliver import lease
from signoff.desk.desk import Desk
from signoff.desk.people import add_person, person_named, set_addresses
from signoff.desk.sign_in import fresh_link, open_link
from signoff.domain.errors import LinkSpent, StoreUnavailable
from signoff.domain.ids import new_id
from signoff.domain.people import Address, Person
from signoff.store import connect
from signoff.store.reader import Reader
from signoff.store.sealing import ADDRESS_KEY, add_address_key, open_sealing
from signoff.store.sqlite import open_snapshot, open_store
from signoff.store.unit import Unit

LOG = "signoff.example/test"
NTFY = "ntfys://ntfy.example.com/omar-7fk2"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir(exist_ok=True)
    return folder


async def everything(reader: Reader) -> tuple[list[Address], list[str], list[str]]:
    """Return every address of people, of alerts and of links, in the open."""
    people = [one for person in await reader.people() for one in person.addresses]
    alerts = [alert.address for alert, _ in await reader.alerts_of_case("esc_1")]
    links = [await reader.link(f"lnk_{number}") for number in range(len(alerts))]
    return people, alerts, [link.address for link in links if link is not None]


async def test_an_address_is_in_no_file_of_the_database_and_still_reaches_its_person(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    await set_addresses(desk, "Omar", (NTFY,))
    told = await ask(desk, cast.ada)
    (errand,) = await lease(desk, "worker")

    assert errand.alert.address == NTFY
    assert (await person_named(desk, "Omar")).addresses[0].url == NTFY
    link = errand.link_url.rpartition("/d/")[2].partition("#")[0]
    async with desk.store.reading() as reader:
        held = await reader.link(link)
    assert held is not None
    assert held.address == NTFY
    files = bytes_on_disk(tmp_path / "signoff.db")
    assert told.escalation_id.encode() in files
    assert b"ntfy.example.com" not in files
    assert b"7fk2" not in files


async def test_a_fresh_link_goes_to_the_same_address_and_ends_the_old_one(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await set_addresses(desk, "Omar", (NTFY,))
    await ask(desk, cast.ada)
    (errand,) = await lease(desk, "worker")
    link, _, secret = errand.link_url.rpartition("/d/")[2].partition("#")
    await fresh_link(desk, link)
    clock.advance(61)

    again = await lease(desk, "other")

    assert {one.alert.address for one in again} == {NTFY}
    with pytest.raises(LinkSpent):
        await open_link(desk, link, secret, source="s")


async def test_an_address_keeps_its_id_until_it_goes(desk: Desk, cast: Cast) -> None:
    first = await set_addresses(desk, "Omar", (NTFY, "night=twilio://AC1:t@+15550001/+15550002"))
    then = await set_addresses(
        desk, "Omar", ("night=twilio://AC1:t@+15550001/+15550002", "terminal:", NTFY, NTFY)
    )

    assert [one.label for one in then.addresses] == ["night", "terminal", "push"]
    assert [one.id for one in first.addresses] == [then.addresses[2].id, then.addresses[0].id]
    assert (await person_named(desk, "Omar")).addresses == then.addresses


async def test_addresses_of_a_database_from_before_are_sealed_and_nothing_open_is_left(
    tmp_path: Path, keys: Path
) -> None:
    path = tmp_path / "signoff.db"
    make_old_database(path, log=LOG, people=40, alerts=200)
    assert SECRET.encode() in bytes_on_disk(path)

    async with open_store(
        path, log=LOG, clock=HandClock(), new_id=new_id, sealing=open_sealing(keys)
    ) as store:
        async with store.reading() as reader:
            people, alerts, links = await everything(reader)
        assert SECRET.encode() not in bytes_on_disk(path)

    assert [(one.label, one.url) for one in people[:2]] == [
        ("terminal", "terminal:"),
        ("mail", address_of(0)),
    ]
    assert len({one.id for one in people}) == 80
    assert sorted(alerts) == sorted(links) == sorted(address_of(number % 40) for number in range(200))
    assert SECRET.encode() not in bytes_on_disk(path)


async def test_what_lay_open_is_cleaned_away_once_nobody_reads_an_older_state(
    tmp_path: Path, keys: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "BUSY_MS", 100)
    path = tmp_path / "signoff.db"
    make_old_database(path, log=LOG, people=40, alerts=200)
    with second_hand(path) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT COUNT(*) FROM person").fetchone()
        async with (
            open_store(path, log=LOG, clock=HandClock(), new_id=new_id, sealing=open_sealing(keys)) as store,
            store.reading() as reader,
        ):
            assert (await everything(reader))[0][1].url == address_of(0)
        assert SECRET.encode() in bytes_on_disk(path)
        assert "lay open are still in the database's" in caplog.text

    async with open_store(path, log=LOG, clock=HandClock(), new_id=new_id, sealing=open_sealing(keys)):
        assert SECRET.encode() not in bytes_on_disk(path)


def somebody(number: int) -> Person:
    address = Address(f"adr_{number}", "push", NTFY)
    return Person(
        f"per_{number}", f"p{number}", frozenset({"operator"}), frozenset(), (address,), HandClock().now()
    )


def adding(person: Person) -> Callable[[Unit], Awaitable[bool]]:
    return lambda unit: unit.add_person(person)


def key_ids(path: Path) -> list[str]:
    with second_hand(path) as hand:
        return [url.split(":")[1] for (url,) in hand.execute("SELECT url FROM person_address ORDER BY id")]


async def test_a_new_key_takes_over_while_another_process_goes_on(tmp_path: Path, keys: Path) -> None:
    path, running = tmp_path / "signoff.db", open_sealing(keys)
    async with open_store(path, log=LOG, clock=HandClock(), new_id=new_id, sealing=running) as store:
        await store.write(adding(somebody(1)))
        old, new = running.key_id, add_address_key(keys)
        assert key_ids(path) == [old]
        async with open_store(path, log=LOG, clock=HandClock(), new_id=new_id, sealing=open_sealing(keys)):
            assert key_ids(path) == [new]
        async with store.reading() as reader:  # it has not read the new key yet
            assert (await reader.people())[0].addresses == somebody(1).addresses
        await store.write(adding(somebody(2)))

    assert key_ids(path) == [new, new]


async def test_an_address_moved_to_another_person_or_tampered_with_stays_sealed(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    await set_addresses(desk, "Omar", (NTFY,))
    await add_person(desk, "Mallory", roles=["operator"], addresses=("ntfys://evil.example.com/x",))
    with second_hand(tmp_path / "signoff.db") as hand:
        hand.execute(
            "UPDATE person_address SET url = (SELECT a.url FROM person_address a JOIN person p ON p.id = a.person_id"
            " WHERE p.name = 'Mallory') WHERE person_id = (SELECT id FROM person WHERE name = 'Omar')"
        )

    (omar,) = (await person_named(desk, "Omar")).addresses
    assert omar.url.startswith("sealed:")
    with second_hand(tmp_path / "signoff.db") as hand:
        hand.execute("UPDATE person_address SET url = substr(url, 1, 20) || 'AAAA' || substr(url, 25)")
    assert all(one.url.startswith("sealed:") for one in (await person_named(desk, "Mallory")).addresses)


async def test_without_the_key_addresses_stay_sealed_and_none_is_stored_in_the_open(
    desk: Desk, cast: Cast, tmp_path: Path, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await set_addresses(desk, "Omar", (NTFY,))
    path = tmp_path / "signoff.db"

    async with open_snapshot(path) as reader:
        assert [one.addresses[0].url[:7] for one in await reader.people() if one.name == "Omar"] == [
            "sealed:"
        ]
    other = tmp_path / "other.db"
    async with open_store(other, log=LOG, clock=HandClock(), new_id=new_id) as store:
        with pytest.raises(StoreUnavailable, match="no key to seal addresses with"):
            await store.write(adding(somebody(1)))
    (keys / ADDRESS_KEY).unlink()
    async with open_store(path, log=LOG, clock=HandClock(), new_id=new_id, sealing=open_sealing(keys)):
        assert "1 addresses cannot be opened: their key is not in address.key" in caplog.text


def test_a_key_file_that_others_read_or_that_is_damaged_is_not_used(keys: Path) -> None:
    open_sealing(keys)
    path = keys / ADDRESS_KEY
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(KeyExposed):
        open_sealing(keys)
    path.chmod(0o600)
    line = path.read_text(encoding="ascii")
    for damaged in ("", "nonsense\n", line + line, line + "x\n", line.replace("+", "-", 1)):
        path.write_text(damaged, encoding="ascii")
        with pytest.raises(KeyInvalid):
            open_sealing(keys)
