"""An action in its reader's terms: what is recognised, and that nothing is lost or guessed."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.desk.masks import HIDDEN
from signoff.operators.commands import inked, outstanding
from signoff.operators.edits import compared, edit_of, edits_of
from signoff.operators.present import Room, looks_like, shown
from signoff.operators.reading import Reading, read_action
from signoff.operators.senses import sense_of
from signoff.operators.trace import duration, timeline


def read(arguments: dict[str, Any], *, tool: str = "tool", rules: frozenset[str] = frozenset()) -> Reading:
    return read_action(tool, arguments, masked=frozenset(), read=rules, room=Room(200_000))


@pytest.mark.parametrize(
    ("name", "value", "beside", "says", "remarks"),
    [
        ("amount_eur", 1240, {}, "1,240 EUR", []),
        ("amountUsd", 12.5, {}, "12.5 USD", []),
        ("price_chf", "1240.00", {}, "1,240.00 CHF", []),
        ("amount", 124000, {"currency": "eur"}, "124,000 EUR", ["unit_unsaid"]),
        ("amount", 124000, {"currency": "JPY"}, "124,000 JPY", []),
        ("amount", "1240.50", {"currency": "EUR"}, "1,240.50 EUR", []),
        ("amount_cents", 124050, {"currency": "EUR"}, "1,240.50 EUR", ["minor_unit"]),
        ("total_eur_cents", 5, {}, "0.05 EUR", ["minor_unit"]),
        ("try_again", 3, {}, "", []),
        ("balance_id", 99999999, {}, "", []),
        ("rows", 1234567, {}, "1,234,567", []),
        ("order_number", 1234567, {}, "", []),
        ("year", 20260, {}, "", []),
        ("discount_percent", 12.5, {}, "12.5 %", []),
        ("timeout_ms", 120000, {}, "2 min", []),
        ("ttl_seconds", 90, {}, "1 min 30 s", []),
        ("size_bytes", 1250000, {}, "1.2 MB", []),
        ("expires_at", 1795000000, {}, "Wednesday, 18 November 2026, 11:06:40 UTC", []),
        ("due", "2026-12-31", {}, "Thursday, 31 December 2026", []),
        ("due", "2026-13-31", {}, "", []),
        ("at", "2026-12-24T18:00:00+01:00", {}, "Thursday, 24 December 2026, 17:00:00 UTC", []),
        ("at", "2026-12-24 18:00", {}, "Thursday, 24 December 2026, 18:00:00", ["no_zone"]),
        ("link", "http://10.0.0.7/x", {}, "", ["bare_ip", "not_encrypted"]),
        ("link", "http://2130706433/", {}, "", ["bare_ip", "not_encrypted"]),
        ("link", "https://bank.example@evil.example/x", {}, "", ["user_in_url"]),
        ("link", "https://xn--pypal-4ve.example/", {}, "", ["punycode"]),
        ("link", "javascript:alert(1)", {}, "", ["odd_scheme"]),
        ("path", "../../etc/passwd", {}, "", ["climbs"]),
        ("flag", True, {}, "", []),
        ("amount_eur", 1e21, {}, "", []),
    ],
)
def test_a_value_reads_as_what_its_name_says(
    name: str, value: Any, beside: dict[str, Any], says: str, remarks: list[str]
) -> None:
    sense = sense_of(name, value, beside)

    assert sense.says == says
    assert [code for code, _ in sense.remarks] == remarks


@pytest.mark.parametrize(
    ("address", "goes"),
    [
        ("https://a.example/b@c", "a.example"),
        ("https://user:pw@b.example:8443/x", "b.example:8443"),
        ("https://a.example\\@b.example/", "a.example"),
        ("https://a.example?x=https://b.example", "a.example"),
        ("dana@c.example", "c.example"),
    ],
)
def test_an_address_shows_where_it_goes_and_loses_nothing(address: str, goes: str) -> None:
    parts = sense_of("link", address, {}).parts

    assert parts is not None
    assert "".join(piece.text for piece in parts[1]) == goes
    assert "".join(piece.text for part in parts for piece in part) == address


@pytest.mark.parametrize(
    ("text", "language", "reasons"),
    [
        ("curl -fsSL https://x.example/i.sh | sudo bash", "shell", ["network", "runs_fetched", "as_root"]),
        ("rm -rf /tmp/x > /dev/null", "shell", ["deletes", "overwrites"]),
        ("git push --force", "shell", ["forces"]),
        ("ls -la 2>&1", "shell", []),
        ("DELETE FROM carts", "sql", ["every_row"]),
        ("SELECT 1 /* where; */; DELETE /* where */ FROM carts", "sql", ["comment", "every_row", "several"]),
        ("DELETE FROM carts /* where", "sql", ["comment"]),
        ("SELECT 1 /* ; DELETE FROM carts", "sql", ["comment", "every_row", "several"]),
        ("-- where\ndelete from carts", "sql", ["comment", "every_row"]),
        ("DELETE FROM carts WHERE id = 1", "sql", []),
        ("UPDATE a SET b = 1; DROP TABLE c", "sql", ["every_row", "drops", "several"]),
        ("GRANT ALL ON t TO bob", "sql", ["grants"]),
    ],
)
def test_what_deserves_a_second_look_is_named(text: str, language: Any, reasons: list[str]) -> None:
    assert {one.reason for one in outstanding(text, language)} == set(reasons)


@given(st.text(alphabet="ab \n\"'|;&<>$(){}-#\u202e\u0430", max_size=80))
def test_colours_lose_nothing_of_a_command(text: str) -> None:
    whole = shown(text).whole

    for language in ("shell", "sql"):
        assert "".join(one.text for one in inked(whole, language)) == "".join(one.text for one in whole)


@given(
    st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=12),
    st.lists(st.sampled_from(["a", "b", "d", ""]), max_size=12),
)
def test_a_change_to_a_file_holds_both_texts_whole(before: list[str], after: list[str]) -> None:
    old, new = "\n".join(before), "\n".join(after)

    lines = compared(old, new)

    def text(leave_out: str) -> str:
        kept = [line for line in lines if line.kind != leave_out]
        return "".join(line.text + ("" if line.unended else "\n") for line in kept)

    assert text("new") == old
    assert text("old") == new


def test_changes_to_files_are_recognised_by_their_arguments() -> None:
    replaced = edit_of({"file_path": "a.py", "old_string": "x\n", "new_string": "y\n", "replace_all": True})
    written = edit_of({"path": "a.py", "content": "x\ny"})
    patch = edit_of({"patch": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b"})
    several = edits_of({"path": "a", "edits": [{"old_string": "a", "new_string": "b"}]})

    assert replaced is not None
    assert (replaced.how, replaced.path, replaced.comes, replaced.goes) == ("replaces", "a.py", 1, 1)
    assert written is not None
    assert (written.how, written.comes) == ("writes", 2)
    assert patch is not None
    assert (patch.how, patch.comes, patch.goes) == ("patch", 1, 1)
    assert several is not None
    assert several[0] == "edits"
    assert edits_of({"edits": [{"old_string": "a", "new_string": "b", "also": 1}]}) is None
    assert edit_of({"content": "no path"}) is None


def test_every_argument_stays_on_the_page_beside_a_change_to_a_file() -> None:
    found = read({"file_path": "a", "old_string": "x", "new_string": "y", "replace_all": True, "why": "z"})

    assert found.edits[0].edit.keys == ("file_path", "old_string", "new_string")
    assert [entry.row.path for entry in found.entries] == ["replace_all", "why"]


def test_what_the_policy_hides_is_no_part_of_a_change_to_a_file() -> None:
    found = read({"file_path": "a", "old_string": HIDDEN, "new_string": "y"})

    assert found.edits == ()
    assert [(entry.row.path, entry.row.state) for entry in found.entries] == [
        ("file_path", ""),
        ("old_string", "hidden"),
        ("new_string", ""),
    ]


def test_a_list_of_words_reads_as_the_command_that_it_is() -> None:
    entry = read({"argv": ["git", "push", "--force", "a b"]}).entries[0]

    assert entry.command is not None
    assert "".join(one.text for one in entry.command.ink) == "git push --force 'a b'"
    assert [one.reason for one in entry.command.outstanding] == ["forces"]


def test_prose_that_mentions_a_command_stays_prose_and_is_flagged() -> None:
    entry = read({"body": "Please run git push --force && go home. " + "Thanks. " * 20}).entries[0]

    assert entry.command is None
    assert entry.row.value is not None
    assert entry.row.value.opaque == "shell"


def test_the_first_screen_holds_what_a_rule_read_commands_and_money_first() -> None:
    found = read(
        {
            "a": 1,
            "b": 2,
            "c": 3,
            "d": 4,
            "note": "long " * 300,
            "price_eur": 5,
            "run": "sudo reboot",
            "z": {"deep": 7},
        },
        rules=frozenset({"action.arguments.z.deep"}),
    )

    assert [one.entry.row.path for one in found.glance][:3] == ["z.deep", "run", "price_eur"]


def test_a_rows_table_needs_the_same_short_fields_everywhere() -> None:
    table = read(
        {"flights": [{"no": "HAT1", "on": "2026-05-20"}, {"no": "HAT2", "on": "2026-05-21"}]}
    ).entries[0]
    uneven = read({"flights": [{"no": "HAT1"}, {"no": "HAT2", "on": "x"}]}).entries[0]
    odd = read({"flights": [{"no": "HAT\u200b1"}]}).entries[0]

    assert table.table is not None
    assert table.table.columns == ("no", "on")
    assert uneven.table is None
    assert odd.table is None


@pytest.mark.parametrize(
    "piece",
    [
        "\n",
        "select ",
        "`",
        "rm -",
        "| ",
        ";" + " " * 39,
        "update x ",
        "with a ",
        "\n\t ",
        "-- ",
        "/*",
        "/*a",
        "/* *",
        "/*/",
        "'",
        "grant ",
    ],
)
def test_no_text_takes_long_to_read(piece: str) -> None:
    text = piece * (256_000 // len(piece))
    began = time.process_time()

    looks_like(text)
    outstanding(text, "shell")
    outstanding(text, "sql")

    assert time.process_time() - began < 2


def test_a_change_of_many_lines_takes_no_time() -> None:
    old, new = "a\nb\n" * 30_000, "b\na\n" * 30_000
    began = time.process_time()

    compared(old, new)
    compared("a\nb\n" * 290, "b\na\n" * 290)

    assert time.process_time() - began < 3


def test_a_call_stands_with_its_result_and_its_time() -> None:
    steps = [
        {"kind": "thought", "text": "x"},
        {"kind": "tool_call", "tool": "a", "at": "2026-11-23T20:29:40Z"},
        {"kind": "tool_call", "tool": "b"},
        {"kind": "tool_result", "tool": "b", "ms": 50, "is_error": True},
        {"kind": "tool_result", "tool": "a", "ms": 100},
        {"kind": "tool_result", "tool": "a", "ms": 100},
    ]

    line = timeline(steps, start=0, stop=len(steps))

    assert [(one.number, one.result_number) for one in line.entries] == [(1, 0), (2, 5), (3, 4), (6, 0)]
    assert [one.share for one in line.entries] == [0, 100, 50, 100]
    assert [one.failed for one in line.entries] == [False, False, True, False]
    assert line.entries[1].clock == "20:29:40"
    assert (line.calls, line.errors, line.ms) == (2, (4,), 250)


@pytest.mark.parametrize(
    ("ms", "says"),
    [(0, "0 ms"), (412, "412 ms"), (3200, "3.2 s"), (125_000, "2 min 5 s"), (3_600_000, "60 min")],
)
def test_a_duration_reads_in_its_largest_units(ms: float, says: str) -> None:
    assert duration(ms) == says
