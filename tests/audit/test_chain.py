"""Appending events: numbers, links, times, and the tree that grows with them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.audit import chain, merkle
from signoff.domain.errors import LimitExceeded
from signoff.domain.event import SYSTEM, Draft

START = datetime(2026, 11, 23, 20, 31, 5, 123456, tzinfo=UTC)
LOG = "example.com/log42"


def drafted(after_s: float = 0, **data: object) -> Draft:
    return Draft("policy.loaded", START + timedelta(seconds=after_s), SYSTEM, data)


def appended(drafts: list[Draft]) -> tuple[chain.Head, list[chain.Appended]]:
    head, made = chain.EMPTY, []
    for draft in drafts:
        head, one = chain.append(head, draft, log=LOG)
        made.append(one)
    return head, made


def test_each_event_names_its_log_its_number_and_the_leaf_hash_before_it() -> None:
    head, made = appended([drafted(n, n=n) for n in range(3)])

    records = [json.loads(one.raw) for one in made]
    assert [one["seq"] for one in records] == [0, 1, 2] == [one.seq for one in made]
    assert {one["log"] for one in records} == {LOG}
    expected = hashlib.sha256(b"").digest()
    for one, record in zip(made, records, strict=True):
        assert record["prev"] == "sha256:" + expected.hex()
        expected = hashlib.sha256(b"\x00" + one.raw).digest()
        assert one.leaf_hash == expected
    assert head.prev == expected
    assert head.size == 3


def test_the_first_event_is_these_very_bytes() -> None:
    _, (first,) = appended([drafted(policy_digest="sha256:00")])

    assert first.raw == (
        b'{"actor":{"id":"signoff","kind":"system"},"at":"2026-11-23T20:31:05.123456Z",'
        b'"data":{"policy_digest":"sha256:00"},"log":"example.com/log42",'
        b'"prev":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",'
        b'"seq":0,"type":"policy.loaded","v":1}'
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_times_never_decrease_whatever_the_clock_does(seconds: list[float]) -> None:
    head, made = appended([drafted(at) for at in seconds])

    times = [one.at for one in made]
    assert times == sorted(times)
    assert head.at == times[-1]
    assert [json.loads(one.raw)["at"] for one in made] == times


@given(st.integers(1, 40))
def test_the_head_has_the_root_over_all_events(size: int) -> None:
    head, made = appended([drafted(n, n=n) for n in range(size)])

    nodes = {(level, index): node for one in made for level, index, node in one.nodes}
    assert head.edge == tuple(nodes[node] for node in merkle.edge_nodes(size))
    for one in made:
        proof = merkle.plan_inclusion(one.seq, size).proof(nodes)
        assert merkle.check_inclusion(one.leaf_hash, one.seq, size=size, proof=proof, root=head.root)


def test_an_event_over_60_kib_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        chain.append(chain.EMPTY, drafted(text="x" * 61 * 1024), log=LOG)
