"""Say why the policy said what it said, to a person or as a model is told."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signoff.cli.commands import BadInput, Failure, examples, run, with_home

if TYPE_CHECKING:
    from signoff.config import Home
    from signoff.domain.case import Escalation
    from signoff.domain.policy import Mask, Trigger
    from signoff.triggers.demands import Demand
    from signoff.triggers.evaluate import Considered
    from signoff.triggers.load import LoadedPolicy

ROLES = ("operator", "supervisor", "auditor")
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_VERDICTS = {"allow": "green", "escalate": "yellow", "deny": "red"}
_MEANING = {
    "allow": "the action may run; nobody is asked",
    "escalate": "a person decides before it runs",
    "deny": "it must not run; nobody is asked",
}
MAX_WIDTH = 110
_LABEL = 9


@click.command()
@click.argument("what", metavar="CASE|FILE")
@click.option(
    "--policy", "policy_file", type=_FILE, help="Evaluate FILE under this policy instead of the home's."
)
@click.option("--for", "reader", type=click.Choice(["human", "model"]), default="human", help="Who reads it.")
@click.option(
    "--as", "role", type=click.Choice(ROLES), help="Hide what the policy's masks hide from this role."
)
@with_home
@examples(
    "signoff policy explain esc_01KB0V2N6Q3R8WJ5XZ4T7YHM9D",
    "signoff policy explain esc_01KB0V2N6Q3R8WJ5XZ4T7YHM9D --as operator",
    "signoff policy explain refund.json --policy policy.yaml",
    "signoff policy explain refund.json --for model",
)
def explain(what: str, policy_file: Path | None, reader: str, role: str | None, home: Path | None) -> None:
    """Say which triggers fired, on which values, and which of them asked for what.

    CASE is the id of a case in the home's database: its verdict as it was recorded, by the version of the policy that
    decided. FILE is JSON, {action, bundle} as an agent sends them (with agent, session, now and history where they
    matter): every trigger for its tool, those that did not fire too. Nothing is written, and nobody is asked.

    --for model prints what an agent is told. Where a mask hides a value from any role, a model does not see it.
    """
    from signoff.config import find_home

    found = find_home(home)
    if what.startswith("esc_"):
        if policy_file is not None:
            raise click.UsageError(
                "A case is explained by the version that decided it; --policy goes with FILE."
            )
        run(_explain_case, found, what, reader, role)
        return
    path = Path(what)
    if not path.is_file():
        raise BadInput(f"{what} is neither the id of a case (esc_…) nor a file.")
    _explain_file(path, policy_file or _home_policy(found), reader, role)


def _home_policy(home: Home) -> Path:
    if not home.policy_file.is_file():
        raise BadInput(
            f"There is no policy at {home.policy_file}. Name one with --policy, or run signoff init."
        )
    return home.policy_file


# A case


@dataclass(frozen=True, slots=True)
class _Shown:
    """One trigger as it is explained."""

    id: str
    title: str
    how: str
    """What it does, its category and its urgency."""
    when: str | None
    """The condition's text; None where there is none or nobody knows it any more."""
    explanation: str
    reason: str | None
    values: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


async def _explain_case(home: Home, case_id: str, reader_is: str, role: str | None) -> None:
    import orjson

    from signoff.app import read_database
    from signoff.desk.masks import fired_for_model, masked_fired

    async with read_database(home.database) as reader:
        case = await reader.case(case_id)
        if case is None:
            raise Failure(f"There is no case {case_id} in {home.database}.")
        body = await reader.document(case_id)
        text = await reader.policy_text(case.policy_digest)
        agent = await reader.agent(case.agent_id)
    if body is None:
        raise Failure(f"The content of {case_id} was erased, and with it what the policy read.")
    verdict = orjson.loads(body)["verdict"]
    decided_by, broken = _loaded(text)
    current = _current(home) or decided_by
    fired = verdict["fired"]
    if current is None:
        raise Failure(
            "Neither the policy that decided nor the home's can be loaded, so nobody knows what to hide."
        )
    if reader_is == "model":
        click.echo(_model_json(case, verdict["outcome"], fired_for_model(fired, current)))
        return
    fired = masked_fired(fired, _masks(current, role), current.signals)
    triggers = {} if decided_by is None else {one.id: one for one in decided_by.policy.triggers}
    page = _Page()
    page.line(click.style(case.id, bold=True) + f", {case.status}")
    page.field("action", f"{case.tool}{f' on {case.server}' if case.server else ''}")
    page.field("asked", f"{case.opened_at:%Y-%m-%d %H:%M:%S} UTC by {agent.name if agent else case.agent_id}")
    _verdict(page, verdict["outcome"])
    version = "in force now" if current.digest == case.policy_digest else "not the one in force now"
    page.field("policy", f"{case.policy_digest[:19]}…, {version}")
    if broken:
        page.field("", broken)
    page.title("What fired")
    for one in fired:
        _show(page, _shown_record(one, triggers.get(one["trigger"])))
    if verdict["outcome"] == "escalate" and decided_by is not None:
        asking = [
            triggers[one["trigger"]]
            for one in fired
            if one["then"] == "escalate" and one["trigger"] in triggers
        ]
        _needs(page, _demands_of_case(case, asking, decided_by))


def _loaded(text: str | None) -> tuple[LoadedPolicy | None, str]:
    from signoff.domain.errors import PolicyInvalid
    from signoff.triggers.load import load_policy

    if text is None:
        return None, "its text is not in the database, so conditions are not shown"
    try:
        return load_policy(text, source="policy"), ""
    except PolicyInvalid:
        return None, "this signoff cannot load that version any more, so conditions are not shown"


def _current(home: Home) -> LoadedPolicy | None:
    from signoff.domain.errors import PolicyInvalid
    from signoff.triggers.watch import PolicyFile

    try:
        return PolicyFile(home.policy_file).current()
    except PolicyInvalid:
        return None


def _masks(policy: LoadedPolicy, role: str | None) -> tuple[Mask, ...]:
    return policy.policy.masks_for([role]) if role is not None else ()  # type: ignore[list-item]


def _shown_record(one: Mapping[str, Any], trigger: Trigger | None) -> _Shown:
    return _Shown(
        id=one["trigger"],
        title=one["title"],
        how=f"{one['then']}, {one['category']}, {one['urgency']}",
        when=None if trigger is None else trigger.when or "always",
        explanation=one["explanation"] if one["explanation"] != one["title"] else "",
        reason=one["reason"],
        values=one["values"],
    )


def _demands_of_case(case: Escalation, asking: list[Trigger], policy: LoadedPolicy) -> list[Demand]:
    from signoff.triggers.demands import demands

    return demands(
        asking,
        require=case.require,
        queue=case.queue,
        urgency=case.urgency,
        approve_within=case.deadline_at - case.opened_at,
        approval_valid_for=case.approval_valid_for,
        defaults=policy.policy.defaults,
    )


def _model_json(case: Escalation, outcome: str, fired: list[dict[str, Any]]) -> str:
    from signoff.agents.answers import FiredTrigger, Required

    made: dict[str, Any] = {
        "escalation_id": case.id,
        "verdict": outcome,
        "triggers": [FiredTrigger.model_validate(one).as_json() for one in fired],
        "urgency": case.urgency,
        "queue": case.queue,
        "policy_digest": case.policy_digest,
    }
    if outcome == "escalate":
        made["required"] = Required.model_validate(case.require.as_json()).as_json()
    return json.dumps(made, ensure_ascii=False, indent=2)


# A file


def _explain_file(path: Path, policy_file: Path, reader_is: str, role: str | None) -> None:
    from signoff.cli.policy_check import read_text
    from signoff.desk.check import judge
    from signoff.domain.clock import SystemClock
    from signoff.triggers.demands import demands
    from signoff.triggers.evaluate import consider
    from signoff.triggers.given import with_values
    from signoff.triggers.load import load_policy

    policy = load_policy(read_text(policy_file), source=str(policy_file))
    facts = _situation(path).facts(now=SystemClock().now())
    policy = with_values(policy, facts.history)
    checked = judge(policy, facts)
    if reader_is == "model":
        from signoff.agents.answers import check_told

        click.echo(json.dumps(check_told(checked).as_json(), ensure_ascii=False, indent=2))
        return
    verdict = checked.verdict
    considered = consider(policy, facts)
    page = _Page()
    page.line(f"{click.style(facts.action['tool'], bold=True)}, as {path} has it")
    _verdict(page, verdict.outcome)
    if not any(one.reason is not None and not one.suppressed_by for one in considered):
        page.field("", "no trigger fired; this is defaults.unmatched")
    page.field("policy", f"{policy_file}, {policy.digest[:19]}…")
    explained = {one.trigger: one for one in (*verdict.fired, *verdict.shadow)}
    for title, some in (
        ("What fired", [one for one in considered if one.reason is not None]),
        ("What did not fire", [one for one in considered if one.reason is None]),
    ):
        if some:
            page.title(title)
        for one in some:
            fired = explained.get(one.trigger.id)
            _show(page, _shown_considered(one, fired.explanation if fired else "", policy, role))
    _say_history(page, policy, considered)
    others = len(policy.policy.triggers) - len(considered)
    if others:
        page.line("")
        page.line(f"{others} more {'triggers are' if others > 1 else 'trigger is'} not about this tool.")
    if verdict.outcome == "escalate":
        asking = {one.trigger for one in verdict.fired if one.then == "escalate"}
        made = demands(
            [one.trigger for one in considered if one.trigger.id in asking],
            require=verdict.require,
            queue=verdict.queue,
            urgency=verdict.urgency,
            approve_within=verdict.approve_within,
            approval_valid_for=verdict.approval_valid_for,
            defaults=policy.policy.defaults,
        )
        _needs(page, made)


def _say_history(page: _Page, policy: LoadedPolicy, considered: Iterable[Considered]) -> None:
    """Say that a file has no history where that is why something fires; nobody would guess it."""
    reasons = {one.reason for one in considered}
    missing = [json.dumps(name) for name in policy.history if f"missing signals.{name}" in reasons]
    if missing:
        page.line("\nA file has no history. To say what it would be, add to it:")
        page.line(f'  "history": {{{", ".join(f"{name}: …" for name in missing)}}}')


def _situation(path: Path) -> Any:
    from pydantic import ValidationError

    from signoff.domain.bundle import invalid_request
    from signoff.domain.canonical import parse_json
    from signoff.domain.characters import one_line
    from signoff.triggers.fields import meant
    from signoff.triggers.situations import Situation

    try:
        return Situation.model_validate(parse_json(path.read_bytes(), field=str(path)))
    except ValidationError as error:
        for one in error.errors():
            if one["type"] == "extra_forbidden" and len(one["loc"]) == 1:
                name = str(one["loc"][0])
                near = meant(name, Situation.model_fields) or f" (known: {', '.join(Situation.model_fields)})"
                raise BadInput(f"{path}: unknown key '{one_line(name[:60])}'{near}") from None
        raise BadInput(f"{path}: {invalid_request(error, field='').message}") from None


def _shown_considered(one: Considered, explanation: str, policy: LoadedPolicy, role: str | None) -> _Shown:
    from signoff.desk.masks import masked_fired

    trigger = one.trigger
    (hidden,) = masked_fired([{"values": one.values}], _masks(policy, role), policy.signals)
    remarks = []
    if trigger.mode == "shadow":
        remarks.append("in shadow mode: recorded, never acts")
    if one.suppressed_by:
        remarks.append(f"does not count: suppressed by {', '.join(one.suppressed_by)}")
    title = trigger.title or trigger.id
    return _Shown(
        id=trigger.id,
        title=title,
        how=f"{trigger.then}, {trigger.category}, {trigger.urgency}",
        when=trigger.when or "always",
        explanation=explanation if explanation != title else "",
        reason=one.reason,
        values=hidden["values"],
        remarks=tuple(remarks),
    )


# Both


class _Page:
    """Lines for a terminal, wrapped to its width."""

    def __init__(self) -> None:
        self.width = min(shutil.get_terminal_size(fallback=(100, 24)).columns, MAX_WIDTH)

    def line(self, text: str) -> None:
        """Print a line as it is."""
        click.echo(text)

    def title(self, text: str) -> None:
        """Print a headline."""
        click.echo("\n" + click.style(text, bold=True))

    def field(self, label: str, text: str, *, indent: int = 2) -> None:
        """Print a labelled text, its further lines below its first."""
        room = self.width - indent - _LABEL
        wrapped = [
            part
            for line in text.split("\n")
            for part in textwrap.wrap(line, max(room, 20), break_on_hyphens=False) or [""]
        ]
        for number, part in enumerate(wrapped):
            head = f"{label if number == 0 else '':<{_LABEL}}"
            click.echo(f"{' ' * indent}{click.style(head, dim=True)}{part}".rstrip())


def _verdict(page: _Page, outcome: str) -> None:
    word = click.style(outcome, fg=_VERDICTS[outcome], bold=True)
    page.line(f"  {click.style('verdict'.ljust(_LABEL), dim=True)}{word}: {_MEANING[outcome]}")


def _show(page: _Page, one: _Shown) -> None:
    from signoff.domain.characters import one_line

    title = f"  {one_line(one.title)}" if one.title != one.id else ""
    page.line(f"  {click.style(one.id, bold=True)}{title}  ({one.how})")
    if one.when is not None:
        page.field("when", one.when.strip(), indent=4)
    for number, (path, value) in enumerate(one.values.items()):
        text = one_line(json.dumps(value, ensure_ascii=False))
        page.field("read" if number == 0 else "", f"{path} = {text}", indent=4)
    if one.reason not in (None, "matched"):
        page.field("fired as", str(one.reason), indent=4)
    if one.explanation:
        page.field("says", one_line(one.explanation), indent=4)
    for remark in one.remarks:
        page.field("but", remark, indent=4)


def _needs(page: _Page, made: Iterable[Demand]) -> None:
    page.title("What an approval needs")
    rows = list(made)
    wide = max(len(one.value) for one in rows)
    for one in rows:
        by = f"  from {', '.join(one.asked_by)}" if one.asked_by else ""
        page.line(
            f"  {click.style(one.what.ljust(13), dim=True)}{one.value.ljust(wide) if by else one.value}{by}"
        )
