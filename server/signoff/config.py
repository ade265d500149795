"""Where a home is, what lies in it, and every key of its `signoff.yaml`.

    signoff.yaml    the settings below, each commented
    policy.yaml     the triggers (`triggers/load.py`)
    keys/           private keys, 0700 and 0600 (`audit/keys.py`)
    data/           signoff.db, the database
    anchors/        the newest checkpoint, outside `data/`: copy it elsewhere and it shows a restored old database
    erasures        what was erased, outside `data/`: copy it elsewhere with the anchors
    templates/      words of alerts that replace the built-in ones (`alerts/wording.py`); need not exist
    serve.lock      held by the one process that serves the pages and sends the alerts

The file is read once, at start. It is YAML as strict as a policy: an unknown key is an error that names the near one.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from signoff.audit.checkpoint import CheckpointInvalid
from signoff.audit.cosignature import parse_witness_key
from signoff.domain.clock import read_duration
from signoff.domain.erasure import Kind
from signoff.domain.errors import InvalidRequest, PolicyInvalid, StoreUnavailable
from signoff.domain.near import meant
from signoff.triggers.document import read_document
from signoff.triggers.starters import starter_cases, starter_policy

HOME_VARIABLE = "SIGNOFF_HOME"
MCP_PATH = "/mcp"
MAX_CONFIG_BYTES = 64 * 1024
LONGEST_KEPT = timedelta(days=365)
LONGEST_WINDOW = timedelta(days=90)
"""Of a policy's history signals (`triggers/signals/history.py`)."""
LONGEST = timedelta(days=30)  # nobody should be signed in, or hold a working link, for longer


class ConfigInvalid(InvalidRequest):
    """A `signoff.yaml` that cannot be used; one `problem` per line, each with its position."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{path} cannot be used:\n{lines}")
        self.path = path
        self.problems = problems


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write the address that people open, such as https://signoff.example.com")
    if parts.path.rstrip("/") or parts.username:
        raise ValueError("the pages live at the root of a host: leave out paths and user names")
    return f"{parts.scheme}://{parts.netloc}"


def _host(text: str) -> str:
    if not text or any(letter in text for letter in "/@ ?#"):
        raise ValueError("write a host name or an address, such as 127.0.0.1")
    return text


def _contact(text: str) -> str:
    if not re.fullmatch(r"(mailto:[^\s@]+@[^\s@]+|https://[^\s]+)", text):
        raise ValueError("write mailto:admin@example.com, or an https:// address")
    return text


def _absolute(text: str) -> str:
    if not Path(text).is_absolute():
        raise ValueError("write a whole path, such as /mnt/elsewhere/checkpoint")
    return text


def _anchor_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("write an address such as https://witness.example.com, without user name and #")
    return text


def _witness_key(text: str) -> str:
    try:
        parse_witness_key(text)
    except CheckpointInvalid as error:
        raise ValueError(error.message) from None
    return text


def _each_once(anchors: tuple[Anchor, ...]) -> tuple[Anchor, ...]:
    places = [one.path if isinstance(one, FileAnchor) else one.url for one in anchors]
    for one, place in zip(anchors, places, strict=True):
        if places.count(place) > 1:
            raise ValueError(f"{one.label} stands there twice")
        if place.startswith("http:") and not isinstance(one, FileAnchor) and not one.allow_private:
            raise ValueError(
                f"{one.label}: must be https; plain http is for a network of your own, with allow_private: true"
            )
    return anchors


Duration = Annotated[timedelta, BeforeValidator(partial(read_duration, longest=LONGEST))]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _kept_for(given: Any) -> Any:
    return timedelta(0) if given == "0s" else read_duration(given, longest=LONGEST_KEPT)


class CheckSettings(_Strict):
    """What is kept of what agents ask: every check, whatever the policy said."""

    keep_documents_for: Annotated[timedelta, BeforeValidator(_kept_for)] = Field(
        timedelta(days=30),
        description="How long action and bundle of a check are kept, with secrets masked: `signoff policy replay` and new\n"
        "history signals look back no further. Ids, digests and verdicts stay (retention.checks). 0s keeps none; at most\n"
        "365d.",
    )
    audit: Literal["none", "fired", "all"] = Field(
        "none",
        description="Which checks get an event in the audit log: none, those where a trigger fired, or all. Cases have\n"
        "their own events in any case.",
    )


class AlertSettings(_Strict):
    """How alerts leave. To whom they go is kept per person: `signoff people address`."""

    time_limit_s: Annotated[int, Field(ge=1, le=50)] = Field(
        30,
        description="Seconds one channel may take for one message; then it is tried again later. Stays below the\n"
        "minute for which a worker holds an alert, or a slow channel would get it twice.",
    )
    digest_above: Annotated[int, Field(ge=1, le=1000)] = Field(
        5,
        description="How many alerts of low or normal urgency may go to one address within digest_within one by one.\n"
        "More become one message. High and critical ones always go at once.",
    )
    digest_within: Annotated[
        timedelta, BeforeValidator(partial(read_duration, longest=timedelta(hours=1)))
    ] = Field(
        timedelta(seconds=60),
        description="How long the alerts beyond digest_above wait for one another.",
    )
    silent_after: Annotated[
        timedelta, BeforeValidator(partial(read_duration, longest=timedelta(hours=1)))
    ] = Field(
        timedelta(seconds=60),
        description="How long alerts may be due, and no process seen sending them, until the inbox, /readyz and\n"
        "`signoff doctor` say so and administrators are alerted.",
    )
    contact: Annotated[str, AfterValidator(_contact)] | None = Field(
        None,
        description="Where the makers of browsers may reach whoever runs this server, if its push messages make trouble:\n"
        "mailto:… or https://…. The address of the pages where it is null.",
    )


class AgentSettings(_Strict):
    """What one agent may ask of people. For one agent alone: `signoff agents limit`."""

    max_open: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        1000,
        description="How many cases of one agent may wait for people at once; what it asks beyond them is refused with\n"
        "`rate_limited`. 0: any number.",
    )
    requests_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        600,
        description="How many cases one agent may open in a minute. 0: any number.",
    )


Age = Annotated[timedelta, BeforeValidator(partial(read_duration, longest=timedelta(days=36_500)))]


def _checks_kept_for(given: Any) -> Any:
    age = read_duration(given, longest=timedelta(days=36_500))
    if age < LONGEST_WINDOW:
        raise ValueError(f"must be at least {LONGEST_WINDOW.days}d: windows of a policy reach back so far")
    return age


class RetentionSettings(_Strict):
    """How long what people and agents wrote is kept after its case has ended."""

    bundles: Age | None = Field(
        None,
        description="What agents sent: action, arguments, conversation, state, subject. For ever where it is null.",
    )
    checks: Annotated[timedelta, BeforeValidator(_checks_kept_for)] | None = Field(
        None,
        description="What agents asked without requesting approval: who, when, which tool, about whom. At least 90d, the\n"
        "longest window of a policy. Action and bundle go earlier: checks.keep_documents_for. For ever where it is null.",
    )
    decisions: Age | None = Field(
        None, description="Notes, responses and changed arguments. For ever where it is null."
    )
    reports: Age | None = Field(
        None, description="Outcome notes and results, reasons for cancelling. For ever where it is null."
    )
    alerts: Age | None = Field(
        None, description="Who was alerted at which address. For ever where it is null."
    )

    def keep_for(self) -> dict[Kind, timedelta]:
        """Return the age at which each kind is erased; kinds that are kept for ever are absent."""
        given: dict[Kind, timedelta | None] = {
            "bundle": self.bundles,
            "check": self.checks,
            "decision": self.decisions,
            "report": self.reports,
            "alert": self.alerts,
        }
        return {kind: age for kind, age in given.items() if age is not None}


class AuditSettings(_Strict):
    """Who may follow the audit log over HTTP."""

    public: Literal["none", "checkpoints", "log"] = Field(
        "checkpoints",
        description="What anybody may read under /audit who reaches the pages. checkpoints: signed tree heads and hashes,\n"
        "which tell how many events there are. log: the events too, which tell what happened and hold nothing\n"
        "personal; existing log tools can then follow the log. none: only auditors and admins who are signed in.",
    )


class FileAnchor(_Strict):
    """A further file that the newest checkpoint is kept in."""

    kind: Literal["file"]
    path: Annotated[str, AfterValidator(_absolute)]

    @property
    def label(self) -> str:
        """Return what people call it."""
        return f"file {self.path}"


class HttpAnchor(_Strict):
    """A URL that the newest checkpoint is sent to, and that answers with it."""

    kind: Literal["http"]
    url: Annotated[str, AfterValidator(_anchor_url)]
    method: Literal["PUT", "POST"] = "PUT"
    allow_private: bool = False

    @property
    def label(self) -> str:
        """Return what people call it; its path and query may hold a secret."""
        return f"http {urlsplit(self.url).netloc}"


class WitnessAnchor(_Strict):
    """A C2SP tlog-witness that cosigns the newest checkpoint."""

    kind: Literal["witness"]
    url: Annotated[str, AfterValidator(_anchor_url)]
    key: Annotated[str, AfterValidator(_witness_key)]
    allow_private: bool = False

    @property
    def label(self) -> str:
        """Return what people call it."""
        return f"witness {parse_witness_key(self.key).name}"


Anchor = FileAnchor | HttpAnchor | WitnessAnchor


class Settings(_Strict):
    """Every key of `signoff.yaml`."""

    host: Annotated[str, AfterValidator(_host)] = Field(
        "127.0.0.1",
        description="The address that pages and MCP over HTTP listen on. 127.0.0.1 is this machine only; behind a\n"
        "reverse proxy it stays that. 0.0.0.0 is every network, without TLS of its own.",
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        8717, description="The TCP port. Fixed, so that the links in alerts still open after a restart."
    )
    base_url: Annotated[str, AfterValidator(_base_url)] | None = Field(
        None,
        description="What links in alerts begin with: the address at which people reach the pages. Made of host and\n"
        "port where it is null; behind a proxy write its public address, such as https://signoff.example.com.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Host headers that MCP over HTTP answers to, besides those of base_url and localhost. Anything\n"
        "else is refused, so that no web page in a browser on this network can speak to it (DNS rebinding).",
    )
    undo_s: Annotated[int, Field(ge=0, le=300)] = Field(
        10,
        description="Seconds in which a person can take a decision back; the agent is told after them. 0: none.",
    )
    urgent_link_valid_for: Duration = Field(
        timedelta(minutes=10),
        description="Life of a magic link for a case of high or critical urgency. Others live until the case's\n"
        "deadline. Short, because a link in an inbox is as good as the person.",
    )
    case_sign_in_valid_for: Duration = Field(
        timedelta(hours=1), description="How long an opened magic link goes on showing its case."
    )
    sign_in_link_valid_for: Duration = Field(
        timedelta(minutes=15),
        description="Life of a sign-in link: from the sign-in page, or from `signoff people link`.",
    )
    sign_in_by_alert: bool = Field(
        True,
        description="Whether the sign-in page sends a link to where a person's alerts go. Whoever reads that channel can\n"
        "then sign in as them. false leaves passkeys and `signoff people link`.",
    )
    sign_in_valid_for: Duration = Field(
        timedelta(hours=12), description="How long a full sign-in lasts: one working day."
    )
    checkpoint_every_s: Annotated[int, Field(ge=1, le=86400)] = Field(
        60,
        description="Seconds between signed checkpoints while there is something new. A decision gets one at once.",
    )
    log_origin: str | None = Field(
        None,
        description="The audit log's name, as outsiders know it: a URL without a scheme, such as example.com/signoff.\n"
        "Taken once, when the keys are made; a unique one where it is null.",
    )
    checks: CheckSettings = Field(
        default_factory=lambda: CheckSettings(),
        description="What is kept of what agents ask: every check, whatever the policy said.",
    )
    alerts: AlertSettings = Field(
        default_factory=lambda: AlertSettings(),
        description="How alerts leave. To whom they go is kept per person: `signoff people address`.",
    )
    retention: RetentionSettings = Field(
        default_factory=lambda: RetentionSettings(),
        description="How long what was written is kept after its case has ended, such as 400d; then the host erases it.\n"
        "Events, digests and receipts stay, and what is under legal hold (`signoff hold`).",
    )
    agents: AgentSettings = Field(
        default_factory=lambda: AgentSettings(),
        description="What one agent may ask of people. For one agent alone: `signoff agents limit`.",
    )
    audit: AuditSettings = Field(
        default_factory=lambda: AuditSettings(),
        description="Who may follow the audit log over HTTP.",
    )
    anchors: Annotated[
        tuple[Annotated[Anchor, Field(discriminator="kind")], ...], AfterValidator(_each_once)
    ] = Field(
        (),
        max_length=32,
        description="Where the newest checkpoint goes besides anchors/checkpoint. One entry for each place:\n"
        "- {kind: file, path: /mnt/elsewhere/checkpoint}\n"
        "- {kind: http, url: 'https://example.com/checkpoint', method: PUT}    GET must return it\n"
        "- {kind: witness, url: 'https://witness.example.com', key: witness.example.com/w1+…}\n"
        "At start the log is held against all of them. A URL must be https and public, unless allow_private is true.",
    )


ANCHORS: dict[str, type[_Strict]] = {"file": FileAnchor, "http": HttpAnchor, "witness": WitnessAnchor}


GROUPS: dict[str, type[BaseModel]] = {
    "checks": CheckSettings,
    "alerts": AlertSettings,
    "retention": RetentionSettings,
    "agents": AgentSettings,
    "audit": AuditSettings,
}
"""Keys that hold a map of further keys."""


@dataclass(frozen=True, slots=True)
class Home:
    """The directory that everything of one signoff lies in."""

    path: Path

    @property
    def config_file(self) -> Path:
        """Return the settings' file."""
        return self.path / "signoff.yaml"

    @property
    def policy_file(self) -> Path:
        """Return the policy's file."""
        return self.path / "policy.yaml"

    @property
    def policy_cases(self) -> Path:
        """Return the policy's table tests, which people run; nothing else reads them."""
        return self.path / "policy.tests.yaml"

    @property
    def keys(self) -> Path:
        """Return the directory of the keys."""
        return self.path / "keys"

    @property
    def alert_templates(self) -> Path:
        """Return the directory of templates that replace the words of alerts."""
        return self.path / "templates" / "alerts"

    @property
    def database(self) -> Path:
        """Return the database's file."""
        return self.path / "data" / "signoff.db"

    @property
    def anchor_file(self) -> Path:
        """Return the file that holds the newest checkpoint outside the data directory."""
        return self.path / "anchors" / "checkpoint"

    @property
    def erasures_file(self) -> Path:
        """Return the file that says what was erased, outside the data directory: a restored backup forgets it again."""
        return self.path / "erasures"

    @property
    def serve_lock(self) -> Path:
        """Return the file that is locked by the process that serves."""
        return self.path / "serve.lock"

    @property
    def serve_next(self) -> Path:
        """Return the file that is locked by a `signoff serve` that waits to take over."""
        return self.path / "serve.next"


@dataclass(frozen=True, slots=True)
class Config:
    """A home and its settings."""

    home: Home
    settings: Settings

    @property
    def base_url(self) -> str:
        """Return what links begin with, without a slash at the end."""
        if self.settings.base_url is not None:
            return self.settings.base_url
        return f"http://{_reachable(self.settings.host)}:{self.settings.port}"

    @property
    def contact(self) -> str:
        """Return where a push service may reach whoever runs this server (RFC 8292 §2.1)."""
        given = self.settings.alerts.contact
        if given is None and self.base_url.startswith("https:"):
            return self.base_url
        return given or f"mailto:signoff@{urlsplit(self.base_url).hostname}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the Host headers that MCP over HTTP answers to."""
        port = self.settings.port
        local = (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}")
        return tuple(dict.fromkeys((urlsplit(self.base_url).netloc, *local, *self.settings.allowed_hosts)))

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the Origin headers that MCP over HTTP answers to; most clients send none."""
        port = self.settings.port
        return tuple(dict.fromkeys((self.base_url, f"http://127.0.0.1:{port}", f"http://localhost:{port}")))


def find_home(given: Path | None) -> Home:
    """Return the home that was asked for: the argument, `SIGNOFF_HOME`, or this platform's user data directory."""
    if given is not None:
        return Home(given.absolute())
    variable = os.environ.get(HOME_VARIABLE, "")
    if variable:
        return Home(Path(variable).absolute())
    from platformdirs import user_data_dir  # needed only where neither is set

    return Home(Path(user_data_dir("signoff", appauthor=False)))


def load_config(home: Home, **changed: Any) -> Config:
    """Read a home's settings, making the home and its two files where they are missing.

    Args:
        changed: Settings that replace what the file says, for this process only; None leaves a key alone.

    Raises:
        ConfigInvalid: Lists every problem of the file.
        StoreUnavailable: The home cannot be made or read.
    """
    create_home(home)
    try:
        data = home.config_file.read_bytes()
    except OSError as error:
        raise StoreUnavailable(f"{home.config_file} cannot be read: {error.strerror}.") from None
    given = {key: value for key, value in changed.items() if value is not None}
    return Config(home, parse_settings(data, path=home.config_file, changed=given))


def create_home(home: Home, *, starter: str = "general") -> None:
    """Make what is missing of a home's directories and its commented files; touch nothing that is there.

    A policy, with its table tests, is made with a new home only. Where there is a database, one that is missing was
    lost: nothing is decided until it is back, for the starter policy lets pass what it may have stopped.

    Raises:
        StoreUnavailable: It cannot be made.
    """
    try:
        # mkdir gives 0700 to the last part only, which is the home; what lies above is not ours to close.
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (home.database.parent, home.anchor_file.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        _write_new(home.config_file, default_settings())
        if not home.database.exists() and not home.policy_file.exists():
            _write_new(home.policy_file, starter_policy(starter))
            _write_new(home.policy_cases, starter_cases(starter))
    except OSError as error:
        raise StoreUnavailable(f"The home {home.path} cannot be made: {error.strerror}.") from None


class PolicyLost(PolicyInvalid):
    """A database whose policy file is gone; another one in its place could let pass what that one stopped."""

    def __init__(self, home: Home) -> None:
        gone, kept = (
            shlex.quote(str(home.policy_file)),
            f"signoff policy kept --home {shlex.quote(str(home.path))}",
        )
        super().__init__(home.policy_file.name, [f"{home.policy_file.name}: is gone"])
        self.message = (
            f"{home.policy_file} is gone, and nothing is decided without it. Restore it from a backup, or from the"
            " versions that the database keeps:\n"
            f"  to list them:     {kept}\n"
            f"  to put one back:  {kept} DIGEST > {gone}\n"
            "To begin again with the starter policy, copy it from a new home: signoff init --home NEW"
        )


def check_policy_kept(home: Home) -> None:
    """Refuse a home that has a database and lost its policy.

    Raises:
        PolicyLost: It says how to get the policy back.
    """
    if home.database.exists() and not home.policy_file.exists():
        raise PolicyLost(home)


def parse_settings(data: bytes, *, path: Path, changed: dict[str, Any] | None = None) -> Settings:
    """Read settings from the text of a `signoff.yaml`.

    Raises:
        ConfigInvalid: Lists every problem as `file:line:column: key: what is wrong`.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigInvalid(path, [f"{path.name}:1:1: {len(data)} bytes, at most {MAX_CONFIG_BYTES}"])
    try:
        document = read_document(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigInvalid(path, [f"{path.name}:1:1: not UTF-8 at byte {error.start}"]) from None
    problems = [(one.line, one.column, one.message) for one in document.problems]
    value = {} if document.value is None else document.value
    if not problems and not isinstance(value, dict):
        problems = [(1, 1, "the settings are a map of keys and values")]
    if not problems:
        try:
            return Settings.model_validate({**_tuples(value), **(changed or {})})
        except ValidationError as error:
            for one in error.errors():
                where = one["loc"]
                if where[0] == "anchors":  # pydantic puts the kind of an anchor into the path
                    where = tuple(part for at, part in enumerate(where) if at != 2)
                place = document.keys.get(where) or document.places.get(where)
                line, column = (place.line, place.column) if place else (1, 1)
                problems.append((line, column, _said(one["loc"], one["type"], one["msg"])))
    raise ConfigInvalid(
        path, [f"{path.name}:{line}:{column}: {said}" for line, column, said in sorted(problems)]
    )


def default_settings() -> str:
    """Return a `signoff.yaml` that says what every key does and changes nothing."""
    lines = [
        "# signoff's settings. Every key is shown with its default; take the # away to change one.",
        "# Durations are a whole number and s, m, h or d. Read once, at start.",
        "",
    ]
    for name, field in Settings.model_fields.items():
        lines += [f"# {line}" for line in (field.description or "").split("\n")]
        if name in GROUPS:
            lines.append(f"#{name}:")
            for inner, own in GROUPS[name].model_fields.items():
                lines += [f"#  # {line}" for line in (own.description or "").split("\n")]
                lines.append(f"#  {inner}: {_yaml(own.default)}")
        else:
            lines.append(f"#{name}: {_yaml(field.default)}")
        lines.append("")
    return "\n".join(lines)


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
            if seconds % size == 0:
                return f"{seconds // size}{unit}"
        return f"{seconds}s"
    return str(value)


def _tuples(value: dict[str, Any]) -> dict[str, Any]:
    """Return the map with its lists as tuples: a strict model takes no list for one."""
    return {key: tuple(member) if isinstance(member, list) else member for key, member in value.items()}


def _said(where: tuple[str | int, ...], kind: str, message: str) -> str:
    name = ".".join(str(part) for at, part in enumerate(where) if (where[0], at) != ("anchors", 2))
    if kind == "extra_forbidden":
        known = _known(where)
        return f"there is no key {name}{meant(str(where[-1]), known)}"
    said = {
        "int_type": "must be a whole number",
        "string_type": "must be text",
        "tuple_type": "must be a list",
        "model_type": "must be a map",
        "model_attributes_type": "must be a map",
        "missing": "is missing",
        "union_tag_not_found": f"needs a kind: {', '.join(ANCHORS)}",
        "union_tag_invalid": f"is of a kind that does not exist; there are {', '.join(ANCHORS)}",
    }.get(kind)
    return f"{name}: {said or message.removeprefix('Value error, ')}"


def _known(where: tuple[str | int, ...]) -> Iterable[str]:
    """Return the keys that may stand where one does that may not."""
    if len(where) == 4 and where[0] == "anchors":
        return ANCHORS[str(where[2])].model_fields
    return GROUPS.get(str(where[0]), Settings).model_fields if len(where) > 1 else Settings.model_fields


def _reachable(host: str) -> str:
    """Return a host that a browser can open: a wildcard address is none, and an IPv6 one goes in brackets."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1"
    return f"[{host}]" if address.version == 6 else host


def _write_new(path: Path, text: str) -> None:
    """Write a file that does not exist yet, whole or not at all, readable by its owner only."""
    if path.exists():
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # unlike a rename, does not replace what another process put there meanwhile
        except FileExistsError:
            return
    finally:
        part.unlink(missing_ok=True)
