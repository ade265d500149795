"""The log over HTTP, as a tool by others would follow it: checkpoint, tiles, proofs of growth, and who may read."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import metamorphic_log  # type: ignore[import-untyped]
import pymerkle  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests._support.cases import second_hand
from tests._support.clock import HandClock
from tests._support.follower import Follower, hash_leaf, tile_url, tiles_of, tree_hash
from tests._support.long_log import entry, lengthen
from tests.conftest import Cast
from tests.operators.conftest import SignedIn, Visitor, ask

from signoff.audit.checkpoint import verify_note
from signoff.audit.cosignature import WitnessKey, WitnessSigner, cosignatures_of
from signoff.audit.growth import parse_growth
from signoff.audit.tiles import Tile, parse_tile
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.desk import Desk, PublicAudit
from signoff.operators.web import build_pages
from signoff.store.unit import Unit


@asynccontextmanager
async def reader_of(desk: Desk, public: PublicAudit) -> AsyncGenerator[httpx.AsyncClient]:
    """Somebody without a sign-in, before pages with another setting."""
    pages = build_pages(replace(desk, settings=replace(desk.settings, public_audit=public)))
    url = desk.settings.base_url
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url=url) as client:
        yield client


def follower(desk: Desk, client: httpx.AsyncClient) -> Follower:
    async def fetch(path: str) -> tuple[int, Mapping[str, str], bytes]:
        # As it came over the wire, so that nothing is decoded behind the follower's back.
        async with client.stream("GET", f"/audit/{path}") as response:
            return (
                response.status_code,
                response.headers,
                b"".join([part async for part in response.aiter_raw()]),
            )

    return Follower(fetch, desk.keys.log.verifier.text)


async def test_a_stranger_follows_the_whole_log_from_tiles_alone(desk: Desk, cast: Cast) -> None:
    async with reader_of(desk, "log") as client:
        stranger, size = follower(desk, client), 0
        for _ in range(5):
            await ask(desk, cast.ada)
            await publish_checkpoint(desk)
            size = await stranger.follow(with_entries=True)
    assert size >= 10
    async with desk.store.reading() as reader:
        assert stranger.entries == await reader.bodies(0, size)


async def test_a_follower_checks_the_log_at_many_sizes_and_the_roots_are_those_of_pymerkle(
    desk: Desk, tmp_path: Path
) -> None:
    other = pymerkle.InmemoryTree("sha256")
    async with reader_of(desk, "checkpoints") as client:
        stranger = follower(desk, client)
        for size in (1, 2, 255, 256, 257, 511, 512, 513, 700):
            lengthen(tmp_path / "signoff.db", size)
            for seq in range(stranger.size, size):
                other.append_entry(entry(seq))
            await publish_checkpoint(desk)
            assert await stranger.follow(with_entries=False) == size
            assert stranger.root == other.get_root(size)


async def test_tiles_of_a_large_log_reach_to_its_third_level(desk: Desk, tmp_path: Path) -> None:
    size = 70_000  # the example of the specification: 273 full tiles, then 112, 1 and 17, 1
    lengthen(tmp_path / "signoff.db", size)
    await publish_checkpoint(desk)
    tiles = tiles_of(size)
    assert [one for one in tiles if one[2] != 256] == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    leaves = [hash_leaf(entry(seq)) for seq in range(size)]
    chance = random.Random(1)  # noqa: S311 -- which tiles, not a secret
    wanted = [*chance.sample(tiles, 12), *(one for one in tiles if one[0] or one[2] != 256)]
    async with reader_of(desk, "log") as client:
        stranger = follower(desk, client)
        for level, index, width in wanted:
            tile = await stranger.get(tile_url(level, index, width), kind="application/octet-stream")
            reach = 256**level
            assert tile == b"".join(
                tree_hash(leaves[one * reach : (one + 1) * reach])
                for one in range(index * 256, index * 256 + width)
            )
        bundle = await stranger.get(tile_url("entries", 200), kind="application/octet-stream")
    assert bundle == b"".join(len(entry(one)).to_bytes(2, "big") + entry(one) for one in range(51200, 51456))


async def test_nothing_beyond_the_newest_signed_checkpoint_is_served(desk: Desk, tmp_path: Path) -> None:
    database = tmp_path / "signoff.db"
    lengthen(database, 300)
    await publish_checkpoint(desk)
    lengthen(database, 600)  # on disk, and not signed yet
    async with reader_of(desk, "log") as client:
        for path, status in (
            ("0/000", 200),
            ("0/001.p/44", 200),
            ("0/001.p/1", 200),
            ("entries/001.p/44", 200),
            ("1/000.p/1", 200),
            ("0/001.p/45", 404),
            ("0/001", 404),
            ("entries/001.p/45", 404),
            ("entries/001", 404),
            ("0/002.p/1", 404),
            ("1/000.p/2", 404),
            ("1/000", 404),
            ("2/000.p/1", 404),
            ("63/000.p/1", 404),
            ("0/x999/x999/x999/x999/x999/x999/999", 404),
        ):
            assert (await client.get(f"/audit/tile/{path}")).status_code == status, path
        assert (await client.get("/audit/consistency?from=301")).status_code == 404


async def test_a_log_without_a_checkpoint_serves_nothing(desk: Desk, tmp_path: Path) -> None:
    lengthen(tmp_path / "signoff.db", 300)
    async with reader_of(desk, "log") as client:
        for path in ("checkpoint", "tile/0/000", "tile/entries/000", "consistency?from=0"):
            assert (await client.get(f"/audit/{path}")).status_code == 404


async def test_a_checkpoint_that_the_log_did_not_sign_opens_nothing(desk: Desk, tmp_path: Path) -> None:
    lengthen(tmp_path / "signoff.db", 300)
    note = await publish_checkpoint(desk)
    assert note is not None
    lengthen(tmp_path / "signoff.db", 600)
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("INSERT INTO checkpoint VALUES (600, ?, '')", (note.replace("\n300\n", "\n600\n"),))
    async with reader_of(desk, "log") as client:
        for path in ("checkpoint", "tile/0/001", "tile/entries/001", "consistency?from=1"):
            assert (await client.get(f"/audit/{path}")).status_code == 503


@pytest.mark.parametrize(
    "path",
    [
        "0/0", "0/00", "0/1234", "0/1234/067", "0/x1/067", "0/x000/001", "0/x001", "0/001.p/0", "0/001.p/256", "0/001.p/012",
        "00/000", "01/000", "64/000", "-1/000", "0/000/", "0/000.p/", "entries/0", "data/000", "0/000.P/8", "0/\u0660\u0660\u0660", "",
        "0/x001/x234/067.p/8/9",
    ],
)  # fmt: skip
async def test_a_path_that_names_no_tile_is_not_found(desk: Desk, tmp_path: Path, path: str) -> None:
    lengthen(tmp_path / "signoff.db", 300)
    await publish_checkpoint(desk)
    assert parse_tile(path) is None
    async with reader_of(desk, "log") as client:
        assert (await client.get(f"/audit/tile/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "0/000"),
        (Tile(0, 1_234_067), "0/x001/x234/067"),
        (Tile(None, 999, 17), "entries/999.p/17"),
        (Tile(5, 1000, 255), "5/x001/000.p/255"),
        (Tile(63, 0, 1), "63/000.p/1"),
    ],
)
def test_a_tile_has_one_path(tile: Tile, path: str) -> None:
    assert (
        tile.path
        == path
        == tile_url("entries" if tile.level is None else tile.level, tile.index, tile.width).removeprefix(
            "tile/"
        )
    )
    assert parse_tile(path) == tile


async def test_full_and_partial_tiles_may_be_kept_for_ever_and_a_checkpoint_may_not(
    desk: Desk, tmp_path: Path
) -> None:
    lengthen(tmp_path / "signoff.db", 300)
    await publish_checkpoint(desk)
    async with reader_of(desk, "log") as client:
        for path in ("tile/0/000", "tile/0/001.p/44", "tile/entries/000"):
            assert "immutable" in (await client.get(f"/audit/{path}")).headers["cache-control"]
        assert (await client.get("/audit/checkpoint")).headers["cache-control"] == "no-store"
        plain = await client.get("/audit/tile/entries/000", headers={"Accept-Encoding": "identity"})
        packed = await client.get("/audit/tile/entries/000", headers={"Accept-Encoding": "br, gzip;q=0.9"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


PATHS = ("checkpoint", "consistency?from=1", "tile/0/000.p/5", "tile/entries/000.p/5")


@pytest.mark.parametrize(
    ("public", "open_to_all"), [("none", 0), ("checkpoints", 3), ("log", 4)], ids=lambda one: str(one)
)
async def test_a_stranger_reads_what_the_owner_made_public_and_no_more(
    desk: Desk, cast: Cast, public: PublicAudit, open_to_all: int
) -> None:
    await ask(desk, cast.ada)
    await publish_checkpoint(desk)
    async with reader_of(desk, public) as client:
        statuses = [(await client.get(f"/audit/{path}")).status_code for path in PATHS]
        assert statuses == [200] * open_to_all + [401] * (4 - open_to_all)
        with_key = [
            (
                await client.get(f"/audit/{path}", headers={"Authorization": f"Bearer {cast.ada_key}"})
            ).status_code
            for path in PATHS
        ]
    assert with_key == statuses  # an agent's key opens nothing here


async def test_an_auditor_reads_the_events_and_an_operator_does_not(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    await ask(desk, cast.ada)
    await publish_checkpoint(desk)
    auditor: Visitor = await signed_in("Amir")
    found = await auditor.get("/audit/tile/entries/000.p/5")
    assert found.status_code == 200
    assert found.headers["cache-control"] == "private, no-store"
    for name in ("Omar", "Sofia"):
        other: Visitor = await signed_in(name)
        assert (await other.get("/audit/tile/entries/000.p/5")).status_code == 403


async def test_a_proof_of_growth_convinces_other_peoples_code(desk: Desk, tmp_path: Path) -> None:
    roots = {}
    for size in (1, 3, 256, 300):
        lengthen(tmp_path / "signoff.db", size)
        await publish_checkpoint(desk)
        async with reader_of(desk, "checkpoints") as client:
            note = (await client.get("/audit/checkpoint")).text
            roots[size] = verify_note(note, [desk.keys.log.verifier]).root
    async with reader_of(desk, "checkpoints") as client:
        for size, root in roots.items():
            growth = parse_growth((await client.get(f"/audit/consistency?from={size}")).text)
            assert growth.old_size == size
            metamorphic_log.verify_consistency(size, 300, list(growth.hashes), root, roots[300])
            assert growth.shows(root)
            assert not growth.shows(bytes(32))
        empty = parse_growth((await client.get("/audit/consistency?from=0")).text)
        assert (empty.old_size, empty.hashes) == (0, ())
        for wrong in ("", "x", "-1", "1.5", "\u0663", "1" * 19):
            assert (await client.get("/audit/consistency", params={"from": wrong})).status_code == 422


async def cosign(desk: Desk, signer: WitnessSigner, note: str) -> None:
    checkpoint = verify_note(note, [desk.keys.log.verifier])

    async def keep(unit: Unit) -> None:
        await unit.add_cosignature(
            checkpoint.size, signer.name, signer.cosign(checkpoint.text, desk.clock.now())
        )

    await desk.store.write(keep)


async def test_the_published_checkpoint_carries_what_witnesses_said_of_it(
    desk: Desk, cast: Cast, two_witnesses: list[WitnessSigner], clock: HandClock
) -> None:
    one, two = two_witnesses
    keys: list[WitnessKey] = [one.key, two.key]
    await ask(desk, cast.ada)
    first = await publish_checkpoint(desk)
    assert first is not None
    async with reader_of(desk, "checkpoints") as client:
        assert (await client.get("/audit/checkpoint")).text == first
        await cosign(desk, one, first)
        await cosign(desk, two, first)
        both = (await client.get("/audit/checkpoint")).text
        assert {made.key.name for made in cosignatures_of(both, keys)} == {one.name, two.name}
        await ask(desk, cast.ada)
        second = await publish_checkpoint(desk)
        assert second is not None
        await cosign(desk, one, second)
        # A tool that asks for both is not turned away for the seconds that the slower one takes …
        assert (await client.get("/audit/checkpoint")).text == both
        clock.advance(700)
        await ask(desk, cast.ada)
        third = await publish_checkpoint(desk)
        # … and when both are away, the log does not seem to stand still.
        assert (await client.get("/audit/checkpoint")).text == third
    metamorphic_log.checkpoint_verify(both, [desk.keys.log.verifier.text])


@pytest.fixture
def two_witnesses() -> list[WitnessSigner]:
    return [WitnessSigner(f"witness.example/w{one}", Ed25519PrivateKey.generate()) for one in (1, 2)]


async def test_a_log_with_a_hole_is_not_served_as_if_it_were_whole(desk: Desk, tmp_path: Path) -> None:
    lengthen(tmp_path / "signoff.db", 300)
    await publish_checkpoint(desk)
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("DELETE FROM audit_node WHERE level = 8")
    async with reader_of(desk, "log") as client:
        assert (await client.get("/audit/tile/1/000.p/1")).status_code == 503
        assert len((await client.get("/audit/tile/0/000")).content) == 8192
