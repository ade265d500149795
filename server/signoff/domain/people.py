"""People, their roles and sign-ins, and what each role may do.

Roles add up: a person may hold several. The desk asks the functions here; no page decides on its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from signoff.domain.errors import Forbidden, StepUpNeeded
from signoff.domain.event import Actor
from signoff.domain.hours import ALWAYS, Hours

Role = Literal["operator", "supervisor", "auditor", "admin"]
ROLES: tuple[Role, ...] = ("operator", "supervisor", "auditor", "admin")

Assurance = Literal["none", "client", "link", "session", "passkey"]
ASSURANCES: tuple[Assurance, ...] = ("none", "client", "link", "session", "passkey")
"""How sure signoff is who decided, weakest first; `none` is a decision that only the policy took."""


def at_least(given: Assurance, needed: Assurance) -> bool:
    """Say whether one assurance is as strong as another."""
    return ASSURANCES.index(given) >= ASSURANCES.index(needed)


def strictest_assurance(some: Iterable[Assurance]) -> Assurance:
    """Return the strongest assurance among some, `none` for no entries."""
    return max(some, key=ASSURANCES.index, default="none")


def strictest_role(some: Iterable[Role]) -> Role:
    """Return `supervisor` where any entry asks for it; nothing but a supervisor is stricter than an operator."""
    return "supervisor" if "supervisor" in set(some) else "operator"


@dataclass(frozen=True, slots=True)
class Address:
    """One place where a person's alerts go. Its `url` may hold passwords: show it masked, keep it sealed."""

    id: str
    """Stays as long as the person keeps this address under this label."""
    label: str
    """What the person's preferences call it, such as push, mail or sms; several addresses may share one."""
    url: str = field(repr=False)
    """An Apprise URL, or `terminal:` for the terminal that runs the server."""
    no_links_until: datetime | None = None
    """Somebody else gave it to its person: until then no link goes there that would sign in as them."""


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who may be alerted and may decide."""

    id: str
    name: str
    roles: frozenset[Role]
    queues: frozenset[str]
    """The queues an operator works; empty means all of them."""
    addresses: tuple[Address, ...]
    """Where alerts go, in order."""
    created_at: datetime
    disabled_at: datetime | None = None
    hours: Hours = ALWAYS
    """When they work; a turn in a rotation and a hand-over hold at any hour."""
    preferences: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """By urgency, the labels of the addresses that are alerted; every address for an urgency that is not there."""
    follow_up: bool = True
    """Whether they hear who decided a case that they were alerted to."""


SignInWay = Literal["link", "passkey", "set_up"]
"""How a sign-in session began: by a link, by a passkey, or by the link that sets a home up."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person as they stand before a page: who, how sure, and for which case only, if limited."""

    person: Person
    assurance: Assurance
    only_case: str | None = None
    """A magic link opens one case; a full sign-in session opens all the person may see."""
    session_id: str = ""
    """`ses_…`; empty for a sign-in that no session stands behind, as in the command line."""
    way: SignInWay = "link"

    @property
    def actor(self) -> Actor:
        """Return the actor that events name."""
        return Actor("person", self.person.id, self.assurance)


@dataclass(frozen=True, slots=True)
class Agent:
    """A program that asks; it sees its own escalations only."""

    id: str
    name: str
    owner: str | None
    """The id of the person on whose behalf it runs."""
    created_at: datetime
    paused_at: datetime | None = None
    max_open: int | None = None
    """How many of its cases may wait at once; None: as the settings say, 0: any number."""
    requests_per_minute: int | None = None
    """How many cases it may open in a minute; None: as the settings say, 0: any number."""
    stands_for: str | None = None
    """The id of the agent under whose name it asks for canaries; it has no key, and nobody ever calls as it."""

    @property
    def actor(self) -> Actor:
        """Return the actor that events name."""
        return Actor("agent", self.id)


def may_see_case(sign_in: SignIn, escalation_id: str, queue: str) -> bool:
    """Say whether a person sees a case: own queues for operators, everything for supervisors and auditors."""
    if sign_in.person.disabled_at is not None:
        return False
    if sign_in.only_case is not None and sign_in.only_case != escalation_id:
        return False
    return "auditor" in sign_in.person.roles or works_queue(sign_in.person, queue)


def seen_queues(person: Person) -> frozenset[str] | None:
    """Return the queues whose cases a person sees, None for every one; as `may_see_case` says of each."""
    if person.disabled_at is not None:
        return frozenset()
    if person.roles & {"supervisor", "auditor"}:
        return None
    if "operator" not in person.roles:
        return frozenset()
    return person.queues or None


def works_queue(person: Person, queue: str) -> bool:
    """Say whether somebody decides cases of a queue: supervisors of every one, operators of their own."""
    if "supervisor" in person.roles:
        return True
    return "operator" in person.roles and (not person.queues or queue in person.queues)


def unsigned(sign_in: SignIn) -> SignIn:
    """Return a sign-in as it counts for a decision over which nothing was signed: as `session` at most.

    Whoever signed in with a passkey has signed that they are here, and no decision.
    """
    return replace(sign_in, assurance="session") if sign_in.assurance == "passkey" else sign_in


def check_may_decide(sign_in: SignIn, *, queue: str, role: Role, assurance: Assurance) -> None:
    """Refuse a person who may not decide a case of a queue under a requirement.

    Raises:
        Forbidden: The role is missing, or the queue is not theirs though they see it; auditors and admins decide nothing.
        StepUpNeeded: The role is there, the assurance is too weak.
    """
    roles = sign_in.person.roles
    if not roles & {"operator", "supervisor"}:
        raise Forbidden("Only operators and supervisors decide cases; you can read this one.")
    if not works_queue(sign_in.person, queue):
        raise Forbidden("You can read this case, and it waits in a queue that you do not work.")
    if role == "supervisor" and "supervisor" not in roles:
        raise Forbidden("This case needs a supervisor's decision. Hand it over, or ask one.")
    if not at_least(sign_in.assurance, assurance):
        raise StepUpNeeded(assurance, sign_in.assurance)


def check_full(sign_in: SignIn) -> None:
    """Refuse a magic link of one case: it opens that case and nothing else.

    Raises:
        Forbidden: It is one.
    """
    if sign_in.only_case is not None or not at_least(sign_in.assurance, "session"):
        raise Forbidden("Sign in fully for this; a magic link opens its case only.")


def check_supervises(sign_in: SignIn) -> None:
    """Refuse whoever is no supervisor.

    Raises:
        Forbidden: The role is missing.
    """
    if "supervisor" not in sign_in.person.roles:
        raise Forbidden("Only a supervisor can do this. Ask one, or hand the case over.")


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey of one person; it counts once a second person has confirmed it."""

    credential: str
    """The credential's id, base64url."""
    person_id: str
    public_key: bytes
    """A COSE_Key."""
    rp_id: str
    """The host that it signs for."""
    label: str
    """What the person calls it."""
    sign_count: int
    offered_at: datetime
    enrolled_at: datetime | None = None
    enrolled_by: str | None = None
    """The second person."""
    revoked_at: datetime | None = None

    @property
    def state(self) -> Literal["waiting", "in use", "revoked"]:
        """Say whether it can sign."""
        if self.revoked_at is not None:
            return "revoked"
        return "waiting" if self.enrolled_at is None else "in use"


LinkPurpose = Literal["case", "sign_in", "set_up"]


@dataclass(frozen=True, slots=True)
class Link:
    """A magic link as it is stored: everything but its secret."""

    id: str
    purpose: LinkPurpose
    secret_hash: bytes
    """SHA-256 of the 32 bytes that stand in the fragment."""
    person_id: str
    escalation_id: str | None
    address: str
    """The channel it went to; a fresh one goes to the same."""
    issued_at: datetime
    expires_at: datetime
    spent_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SignInSession:
    """A sign-in session as it is stored; its cookie is known by hash only."""

    id: str
    """`ses_…`; it names the session and opens nothing."""
    person_id: str
    assurance: Assurance
    only_case: str | None
    way: SignInWay
    browser: str
    """What the browser said of itself, in a few words."""
    opened_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None

    @property
    def kind(self) -> Literal["case", "full"]:
        """Say whether it opens one case or all that its person may see."""
        return "full" if self.only_case is None else "case"


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """A sign-in link that was asked for and is to be sent to one of a person's addresses."""

    id: str
    person_id: str
    place: int
    """Which of the person's addresses, from 0; not the address itself, which may hold passwords."""
    back_to: str | None
    """The case that the person came from."""
    asked_at: datetime
    attempts: int
    link_id: str | None
    """The link that was made last; another try makes another."""
