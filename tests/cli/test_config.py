"""`signoff.yaml`: every key documented, every mistake named with its place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from signoff.config import (
    GROUPS,
    Config,
    ConfigInvalid,
    Home,
    Settings,
    create_home,
    default_settings,
    find_home,
    load_config,
    parse_settings,
)
from signoff.triggers.signals.history import LONGEST

FILE = Path("signoff.yaml")


def read(text: str) -> Settings:
    return parse_settings(text.encode(), path=FILE)


def test_the_file_of_a_new_home_changes_nothing() -> None:
    assert read(default_settings()) == Settings()


def test_the_file_of_a_new_home_names_every_key_with_its_default() -> None:
    # Comments have a space after the #, keys have none; those of a map are indented by two.
    lines = [
        line[1:]
        for line in default_settings().split("\n")
        if line.startswith("#") and (line[1:2] != " " or (line.startswith("#  ") and "# " not in line[2:]))
    ]
    keys = yaml.safe_load("\n".join(lines))

    assert set(keys) == set(Settings.model_fields)
    for name, model in GROUPS.items():
        assert set(keys[name]) == set(model.model_fields)
    assert read("\n".join(lines)) == Settings()


def test_every_key_says_what_it_is() -> None:
    models: list[type[BaseModel]] = [Settings, *GROUPS.values()]
    for model in models:
        assert all(field.description for field in model.model_fields.values())


def test_retention_is_read_by_kind_and_keeps_for_ever_what_it_does_not_name() -> None:
    keep = read("retention: {bundles: 400d, alerts: 30d}").retention.keep_for()

    assert keep == {"bundle": timedelta(days=400), "alert": timedelta(days=30)}
    assert read("").retention.keep_for() == {}
    with pytest.raises(ConfigInvalid, match=r"there is no key retention\.bundle - did you mean 'bundles'"):
        read("retention: {bundle: 400d}")


def test_checks_are_kept_as_long_as_any_window_of_a_policy_reaches_back() -> None:
    assert read("retention: {checks: 90d}").retention.keep_for() == {"check": LONGEST}
    with pytest.raises(ConfigInvalid, match=r"retention\.checks.*at least 90d"):
        read("retention: {checks: 89d}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("anchors: x", "signoff.yaml:1:1: anchors: must be a list"),
        ("anchors: [x]", "signoff.yaml:1:11: anchors.0: must be a map"),
        ("anchors: [{path: /a}]", "signoff.yaml:1:11: anchors.0: needs a kind: file, http, witness"),
        (
            "anchors: [{kind: ftp, url: 'https://a.example'}]",
            "signoff.yaml:1:11: anchors.0: is of a kind that does not exist; there are file, http, witness",
        ),
        (
            "anchors: [{kind: file, path: a}]",
            "signoff.yaml:1:24: anchors.0.path: write a whole path, such as /mnt/elsewhere/checkpoint",
        ),
        (
            "anchors:\n  - {kind: http, url: 'https://a.example', methods: PUT}",
            "signoff.yaml:2:44: there is no key anchors.0.methods - did you mean 'method'?",
        ),
        (
            "anchors: [{kind: http, url: 'http://a.example'}]",
            "signoff.yaml:1:1: anchors: http a.example: must be https; plain http is for a network of your own, with"
            " allow_private: true",
        ),
        (
            "anchors: [{kind: file, path: /a}, {kind: file, path: /a}]",
            "signoff.yaml:1:1: anchors: file /a stands there twice",
        ),
        ("audit: {publik: log}", "signoff.yaml:1:9: there is no key audit.publik - did you mean 'public'?"),
        ("prot: 1", "signoff.yaml:1:1: there is no key prot - did you mean 'port'?"),
        ("\nport: '1'", "signoff.yaml:2:1: port: must be a whole number"),
        ("undo_s: 1\nundo_s: 2", "signoff.yaml:2:1:"),
        (
            "sign_in_valid_for: 12",
            "signoff.yaml:1:1: sign_in_valid_for: write a duration as a whole number and",
        ),
        ("sign_in_valid_for: 31d", "sign_in_valid_for: longer than 30 days"),
        ("base_url: ftp://x", "base_url: write the address that people open"),
        ("base_url: https://x/signoff", "base_url: the pages live at the root of a host"),
        ("host: http://x", "host: write a host name or an address"),
        ("alerts: {time_limits: 3}", "there is no key alerts.time_limits - did you mean 'time_limit_s'?"),
        ("- a", "the settings are a map"),
        ("port: !!python/object:x 1", "signoff.yaml:1:7:"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read(text)

    assert any(said in problem for problem in refused.value.problems), refused.value.problems


def test_links_begin_with_an_address_that_a_browser_can_open(home: Home) -> None:
    assert Config(home, read("")).base_url == "http://127.0.0.1:8717"
    assert Config(home, read("host: 0.0.0.0")).base_url == "http://127.0.0.1:8717"
    assert Config(home, read("host: '::1'\nport: 80")).base_url == "http://[::1]:80"
    assert (
        Config(home, read("base_url: https://signoff.example.com/")).base_url == "https://signoff.example.com"
    )


def test_mcp_answers_to_its_public_name_and_to_this_machine_only(home: Home) -> None:
    config = Config(home, read("base_url: https://signoff.example.com\nallowed_hosts: [inner:8717]"))

    assert set(config.hosts) == {
        "signoff.example.com",
        "127.0.0.1:8717",
        "localhost:8717",
        "[::1]:8717",
        "inner:8717",
    }
    assert "https://signoff.example.com" in config.origins


def test_the_home_is_the_one_asked_for_then_the_variable_then_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIGNOFF_HOME", str(tmp_path / "variable"))
    assert find_home(tmp_path / "given").path == tmp_path / "given"
    assert find_home(None).path == tmp_path / "variable"
    monkeypatch.delenv("SIGNOFF_HOME")
    assert find_home(None).path.name == "signoff"


def test_a_home_is_its_owners_only_and_keeps_what_was_edited(home: Home) -> None:
    create_home(home)
    home.policy_file.write_text("version: 1\n", encoding="utf-8")
    create_home(home)

    assert home.path.stat().st_mode & 0o777 == 0o700
    assert home.config_file.stat().st_mode & 0o777 == 0o600
    assert home.policy_file.read_text(encoding="utf-8") == "version: 1\n"


def test_a_policy_that_was_lost_is_not_replaced_by_one_that_allows_more(home: Home) -> None:
    create_home(home)
    home.database.touch()
    home.policy_file.unlink()

    create_home(home)

    assert not home.policy_file.exists()


def test_a_command_line_option_wins_over_the_file(home: Home) -> None:
    create_home(home)
    home.config_file.write_text("port: 9000\n", encoding="utf-8")

    assert load_config(home).settings.port == 9000
    assert load_config(home, port=9001, host=None).settings.port == 9001


@pytest.mark.parametrize(
    ("given", "kept"), [("0s", timedelta(0)), ("7d", timedelta(days=7)), ("365d", timedelta(days=365))]
)
def test_what_agents_ask_is_kept_as_long_as_the_settings_say(given: str, kept: timedelta) -> None:
    assert read(f"checks:\n  keep_documents_for: {given}\n").checks.keep_documents_for == kept


@pytest.mark.parametrize("given", ["0", "366d", "1.5h", "true", "-1d"])
def test_a_time_to_keep_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read(f"checks:\n  keep_documents_for: {given}\n")
    assert "checks.keep_documents_for" in str(refused.value)
