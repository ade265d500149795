"""Nothing is changed without an event: every command that changes people, agents, keys or policy leaves one."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import anyio
import anyio.to_thread
import click
import orjson
import pytest
from click.testing import CliRunner
from tests._support.authenticator import Authenticator
from tests._support.cases import approve, ask
from tests._support.passkeys import enrolled

from signoff.app import local_user, open_desk
from signoff.audit.keys import load_keys
from signoff.cli import signoff
from signoff.config import Config
from signoff.desk.current_policy import note_current_policy
from signoff.desk.people import add_person, local_agent, person_named
from signoff.desk.sessions import sign_out
from signoff.desk.sign_in import issue_sign_in_link, open_link
from signoff.domain.action import Action
from signoff.domain.errors import Conflict
from signoff.domain.people import SignIn
from signoff.triggers.starters import starter_policy

CHANGES: dict[str, tuple[list[str], str]] = {
    "people add": (["omar"], "person.added"),
    "people change": (["omar", "--role", "supervisor", "--queue", "payments"], "person.changed"),
    "people address": (["omar", "terminal:"], "person.addresses_changed"),
    "people link": (["omar"], "link.issued"),
    "people prefer": (["omar", "high", "terminal"], "person.preferences_changed"),
    "people follow-up": (["omar", "off"], "person.follow_up_changed"),
    "people hours": (["omar", "Mon-Fri 09:00-17:00", "--zone", "Europe/Berlin"], "person.hours_changed"),
    "people absence": (["omar", "--until", "8h"], "person.absence_added"),
    "people hand-over": (["omar", "Olga", "--until", "8h"], "duty.override_added"),
    "duty rotation add": (["night", "omar", "Olga"], "duty.rotation_added"),
    "duty rotation change": (["night", "Olga"], "duty.rotation_changed"),
    "duty override": (["night", "omar", "--until", "8h"], "duty.override_added"),
    "duty end": (["{override}"], "duty.override_ended"),
    "duty holidays": (["omar", "2026-12-25"], "person.hours_changed"),
    "duty rotation remove": (["night"], "duty.rotation_removed"),
    "people disable": (["omar"], "person.disabled"),
    "people revoke": (["{credential}"], "person.passkey_revoked"),
    "agents add": (["billing-bot"], "agent.added"),
    "agents rotate": (["billing-bot"], "agent.key_rotated"),
    "agents limit": (["billing-bot", "--max-open", "5"], "agent.limited"),
    "agents pause": (["billing-bot"], "agent.paused"),
    "agents resume": (["billing-bot"], "agent.resumed"),
    "keys rotate": (["--purpose", "log"], "key.rotated"),
    "keys reseal": ([], "key.addresses_resealed"),
    "keys revoke": (["{key}"], "key.revoked"),
}
"""In the order in which they can be run."""
READS = {
    "duty show",
    "duty rotation list",
    "people list",
    "people passkeys",
    "people pin",
    "agents list",
    "keys list",
}


async def events_of(config: Config) -> list[dict[str, Any]]:
    async with open_desk(config) as desk, desk.store.reading() as reader:
        return [orjson.loads(body) async for page in reader.events() for _, body in page]


async def run(config: Config, *words: str) -> str:
    """Run a command in a thread: it brings an event loop of its own."""
    done = await anyio.to_thread.run_sync(
        lambda: CliRunner().invoke(signoff, [*words, "--home", str(config.home.path)])
    )
    assert done.exit_code == 0, done.output
    return done.output


async def enrolled_credential(config: Config) -> str:
    async with open_desk(config) as desk:
        omar = SignIn(await add_person(desk, "Olga", roles=["operator"]), "session")
        first = SignIn(await person_named(desk, local_user()), "session")
        phone = Authenticator(rp_id="127.0.0.1", origin=desk.settings.base_url)
        return (await enrolled(desk, omar, phone, by=first)).credential


async def test_every_command_that_changes_who_may_do_what_leaves_its_event(config: Config) -> None:
    credential, key = await enrolled_credential(config), load_keys(config.home.keys).log.verifier.key_id.hex()
    override = ""
    for words, (arguments, expected) in CHANGES.items():
        before = await events_of(config)
        given = (one.format(credential=credential, key=key, override=override) for one in arguments)
        printed = await run(config, *words.split(), *given)
        override = "".join(re.findall(r"ovr_\w+", printed)) or override
        after = await events_of(config)
        assert [event["type"] for event in after[len(before) :]] == [expected], words


@pytest.mark.parametrize("group", ["people", "duty", "agents", "keys"])
def test_no_command_that_changes_something_is_left_out_here(group: str) -> None:
    context = click.Context(signoff)
    names: set[str] = set()

    def walk(command: click.Command | None, words: str) -> None:
        if not isinstance(command, click.Group):
            names.add(words)
            return
        for name in command.list_commands(context):
            walk(command.get_command(context, name), f"{words} {name}")

    walk(signoff.get_command(context, group), group)
    assert names == {one for one in {*CHANGES, *READS} if one.startswith(f"{group} ")}


async def test_no_event_holds_an_address(config: Config) -> None:
    await run(config, "people", "add", "omar", "--address", "mailto://omar:secret@mail.example")
    await run(config, "people", "address", "omar", "mailto://omar:hidden@mail.example")
    held = str(await events_of(config))
    assert "omar" not in held
    assert "mail.example" not in held
    assert "'channels': ['mailto']" in held


async def test_a_policy_that_comes_into_force_again_is_an_event_again(config: Config) -> None:
    async with open_desk(config) as desk:
        for text in (starter_policy() + "\n# stricter\n", starter_policy(), starter_policy()):
            config.home.policy_file.write_text(text, encoding="utf-8")
            await note_current_policy(desk)
    loaded = [event["data"] for event in await events_of(config) if event["type"] == "policy.loaded"]
    first, second, third = loaded
    assert (first["before"], second["before"], third["before"]) == (
        None,
        first["policy_digest"],
        second["policy_digest"],
    )
    assert third["policy_digest"] == first["policy_digest"]


async def test_a_sign_in_and_its_end_are_events(config: Config) -> None:
    async with open_desk(config) as desk:
        url = await issue_sign_in_link(desk, local_user())
        link, _, secret = url.rpartition("/")[2].partition("#")
        opened = await open_link(desk, link, secret, source="test")
        await sign_out(desk, opened.token)
        await sign_out(desk, opened.token)
    types = Counter(event["type"] for event in await events_of(config))
    assert (types["person.signed_in"], types["person.signed_out"], types["link.opened"]) == (1, 1, 1)


async def test_an_export_and_a_look_are_events(config: Config) -> None:
    async with open_desk(config) as desk:
        agent = await local_agent(desk, "ada")
        told = await ask(desk, agent, Action(tool="issue_refund", arguments={"amount": "900.00"}))
        first = SignIn(await person_named(desk, local_user()), "session")
        await approve(desk, first, told.escalation_id, note="yes")
    await run(config, "export", "--format", "jsonl", "--out", str(config.home.path / "out"))
    types = Counter(event["type"] for event in await events_of(config))
    assert (types["bundle.viewed"], types["export.made"]) == (1, 1)


async def test_keys_of_before_a_rotation_that_were_put_back_sign_nothing(config: Config) -> None:
    await run(config, "people", "list")
    kept = {path.name: path.read_bytes() for path in config.home.keys.iterdir()}
    await run(config, "keys", "rotate", "--purpose", "log")
    listed = await run(config, "keys", "list")
    assert [line.split()[2] for line in listed.splitlines()] == ["overlap", "current", "current"]
    for path in config.home.keys.iterdir():
        path.unlink()
    for name, held in kept.items():
        (config.home.keys / name).write_bytes(held)
        (config.home.keys / name).chmod(0o600)
    with pytest.raises(Conflict, match="was rotated out"):
        await events_of(config)


async def test_commands_that_only_read_leave_no_event(config: Config) -> None:
    await enrolled_credential(config)
    before = await events_of(config)
    for words in READS:
        await run(config, *words.split(), *(["Olga"] if words == "people passkeys" else []))
    assert await events_of(config) == before
