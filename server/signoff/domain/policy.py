"""The policy file as values: its defaults, masks, queues and triggers, each checked on its own.

What needs the text itself (positions, expressions, ids that name one another) is checked in `triggers/load.py`.
Models are strict: `"3"` is not 3, and an unknown key is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from signoff.domain.characters import is_ambiguous
from signoff.domain.clock import read_duration
from signoff.domain.people import ROLES, Role
from signoff.domain.verdict import Category, Outcome, Requirement, Urgency

DEFAULT_QUEUE = "default"
MAX_DURATION = timedelta(days=365)  # far from the end of datetime's range, whatever it is added to
MIN_REPEAT = timedelta(minutes=1)
MAX_APPROVALS = 10
MAX_EXPRESSION_CHARS = 2000

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PLAIN = r"[^\x00-\x1f\x7f]"
_MASK_STEP = r"(?:[A-Za-z_][A-Za-z0-9_-]*|\*)(?:\[\*\])*"


def _version(given: Any) -> Any:
    if isinstance(given, bool) or given != 1:  # True == 1 in Python
        raise ValueError("this signoff reads version 1")
    return given


def check_id(text: str) -> str:
    """Return a name as triggers, queues and rotations may have one.

    Raises:
        ValueError: It says which letters there may be.
    """
    if _ID.fullmatch(text) is None:
        raise ValueError(
            "use letters, digits, '.', '_' and '-', at most 100, starting with a letter or digit"
        )
    return text


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("write one line of plain text")
    return text


def _pattern(text: str) -> str:
    if is_ambiguous(text.replace("*", "x")):
        raise ValueError(
            "no tool can have such a name: it holds look-alike characters or spaces that do not show"
        )
    return text


def _alert_target(text: str) -> str:
    kind, _, who = text.partition(":")
    if kind == "role" and who in ROLES:
        return text
    if kind == "role":
        raise ValueError(f"there is no role '{who[:40]}'; the roles are {', '.join(ROLES)}")
    if kind == "person" and who.strip() == who and who:
        return text
    if kind == "rotation":
        check_id(who)
        return text
    raise ValueError("write role:<role>, person:<name> or rotation:<name>")


def _repeat(given: timedelta | None) -> timedelta | None:
    if given is not None and given < MIN_REPEAT:
        raise ValueError("alerts are repeated every 1m at most")
    return given


def _mask_path(text: str) -> str:
    parts = text.split(".")
    if (
        len(parts) < 2
        or parts[0] not in ("action", "bundle")
        or not all(re.fullmatch(_MASK_STEP, part) for part in parts)
    ):
        raise ValueError(
            "write a path such as bundle.subject.iban or bundle.messages[*].content, "
            "starting with action. or bundle."
        )
    if parts[0] == "action" and parts[1] != "arguments":
        raise ValueError("under action, only action.arguments can be masked")
    return text


Duration = Annotated[timedelta, BeforeValidator(partial(read_duration, longest=MAX_DURATION))]
# What the validators above say of a text, for the schema that editors read (`triggers/schema.py`).
Id = Annotated[
    str, Field(strict=True, json_schema_extra={"pattern": f"^{_ID.pattern}$"}), AfterValidator(check_id)
]
Line = Annotated[
    str,
    Field(strict=True, max_length=200, json_schema_extra={"pattern": rf"^{_PLAIN}*\S{_PLAIN}*$"}),
    AfterValidator(_line),
]
Expression = Annotated[str, Field(strict=True, min_length=1)]
Pattern = Annotated[str, Field(strict=True, min_length=1, max_length=200), AfterValidator(_pattern)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Defaults(_Part):
    """What holds where a trigger says nothing."""

    unmatched: Outcome = "allow"
    """The verdict where no trigger fires."""
    on_error: Literal["escalate", "deny"] = "escalate"
    """How a trigger acts that cannot be evaluated; never `allow`."""
    approve_within: Duration = timedelta(minutes=30)
    """How long people have; then the case expires, which is never an approval. 30m where it is not said."""
    on_deadline: Literal["expire", "next_tier"] = "expire"
    """What happens at the deadline. `next_tier`: while a later tier has somebody on duty, it is alerted and has
    `approve_within` once more; after the last the case expires."""
    approval_valid_for: Duration = timedelta(minutes=10)
    """How long an approval can be used, once. 10m where it is not said."""


class Mask(_Part):
    """One place in the action's arguments or the bundle, and the roles that do not see it."""

    path: Annotated[
        str,
        Field(
            strict=True,
            max_length=300,
            json_schema_extra={
                "pattern": rf"^(?:bundle(?:\.{_MASK_STEP})+|action\.arguments(?:\.{_MASK_STEP})*)$"
            },
        ),
        AfterValidator(_mask_path),
    ]
    """Such as `bundle.subject.iban` or `bundle.messages[*].content`."""
    hide_from: Annotated[tuple[Role, ...], Field(min_length=1)]
    """Hidden from a person only if all of their roles stand here."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the path's steps, root first; `*` stands for every member or every item."""
        return tuple(self.path.replace("[*]", ".*").split("."))

    def touches(self, path: tuple[str, ...]) -> bool:
        """Say whether this mask hides the value at a path, part of it, or what it lies in."""
        return all(step in ("*", own) for step, own in zip(self.parts, path, strict=False))


class Tier(_Part):
    """Who is alerted, and how long after the case was opened."""

    after: Duration | None = None
    """None in the first tier, which is alerted at once."""
    alert: Annotated[
        tuple[
            Annotated[
                str,
                Field(
                    strict=True,
                    json_schema_extra={
                        "pattern": (
                            rf"^(?:role:(?:{'|'.join(ROLES)})|person:\S(?:[\s\S]*\S)?|rotation:{_ID.pattern})$"
                        )
                    },
                ),
                AfterValidator(_alert_target),
            ],
            ...,
        ],
        Field(min_length=1),
    ]
    """`role:<role>`, `person:<name>` or `rotation:<name>`, one entry per target."""
    repeat: Annotated[Duration | None, AfterValidator(_repeat)] = None
    """How often the tier is alerted again until somebody acknowledges; None: once."""
    ack_for: Duration | None = None
    """How long an acknowledgement holds this tier off; its `after` where it is not said. Not in the first tier."""


class Queue(_Part):
    """Where escalations wait; one tier at least, in the order they are alerted."""

    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    """The first is alerted at once, each later one `after` a time since the opening, or since the case was
    last taken in hand."""


class Require(_Part):
    """What an approval must bring; what is left out is `Requirement`'s default."""

    role: Literal["operator", "supervisor"] = "operator"
    """Who must decide, at least."""
    approvals: Annotated[StrictInt, Field(ge=1, le=MAX_APPROVALS)] = 1
    """How many distinct people must approve."""
    assurance: Literal["client", "link", "session", "passkey"] = "link"
    """How sure it must be who decided."""
    separation: StrictBool = False
    """True: the person on whose behalf the agent runs cannot approve."""
    reason: StrictBool = False
    """True: whoever decides must say why."""

    def as_requirement(self) -> Requirement:
        """Return the value that verdicts carry."""
        return Requirement(self.role, self.approvals, self.assurance, self.separation, self.reason)


class Trigger(_Part):
    """One rule: for which tools, when, and then what."""

    id: Id
    """Names the trigger in verdicts, in the audit log and under `suppresses`."""
    title: Line | None = None
    """What people read as the reason."""
    category: Category = "policy"
    """What kind of reason it is; for people and reports, without effect on the verdict."""
    tools: Annotated[tuple[Pattern, ...], Field(min_length=1)] | None = None
    """Tool names, case-sensitive; `*` stands for any run of characters. None: every tool."""
    when: Expression | None = None
    """CEL; None: always."""
    then: Outcome
    """The verdict where it fires; the strictest of all that fire holds."""
    queue: Id | None = None
    """Where the case waits; `default` where no trigger names one."""
    urgency: Urgency = "normal"
    require: Require = Require()
    """What an approval must bring."""
    explain: Annotated[str, Field(strict=True, min_length=1, max_length=MAX_EXPRESSION_CHARS)] | None = None
    """Why it fired, with values: `"{{action.arguments.amount}} to {{subject.id}}"`."""
    mode: Literal["enforce", "shadow"] = "enforce"
    """`shadow`: evaluated and recorded, never acts."""
    suppresses: tuple[Id, ...] = ()
    """Only for `then: allow`: the ids of triggers that do not count where this one matches."""
    approve_within: Duration | None = None
    """Instead of the default; the shortest of all that fire holds."""
    approval_valid_for: Duration | None = None
    """Instead of the default; the shortest of all that fire holds."""


class Policy(_Part):
    """A whole policy file."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    """Always 1."""
    defaults: Defaults = Defaults()
    """What holds where a trigger says nothing."""
    masks: tuple[Mask, ...] = ()
    """Who does not see what on the case page."""
    queues: dict[Id, Queue] = Field(default_factory=dict)
    """By name; one called `default` always exists, and alerts every operator where it is not written here."""
    signals: dict[Id, dict[str, Any]] = Field(default_factory=dict)
    """By name: the kind and its options, checked where the kinds are known."""
    triggers: tuple[Trigger, ...] = ()
    """Every trigger that fires counts; the strictest verdict wins."""

    def queue_named(self, name: str) -> Queue:
        """Return a queue; an unknown one, of a policy long replaced, is served like `default`."""
        found = self.queues.get(name) or self.queues.get(DEFAULT_QUEUE)
        return found or Queue(tiers=(Tier(alert=("role:operator",)),))

    def masks_for(self, roles: Iterable[Role]) -> tuple[Mask, ...]:
        """Return the masks that hide something from a person: roles add up, so one role that sees is enough.

        An admin as such sees no bundle, so that role opens nothing that the others do not.
        """
        held = frozenset(roles) - {"admin"}
        return tuple(mask for mask in self.masks if held <= frozenset(mask.hide_from))
