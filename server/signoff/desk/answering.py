"""Check a person's answer against the case as it was shown to them."""

from __future__ import annotations

from typing import Any

from signoff.desk.look import CaseView
from signoff.desk.responses import check_against, check_response
from signoff.domain.decision import Answer
from signoff.domain.errors import Forbidden
from signoff.domain.escalation import Proposed


async def check_answer(view: CaseView, answer: Answer) -> None:
    """Refuse an answer that cannot be given to this case.

    Raises:
        InvalidRequest: Names the field at fault: choice, note, arguments or response.
        Forbidden: It changes what is hidden from this person.
    """
    answer.checked(reason_required=view.case.require.reason)
    if answer.arguments is not None and any(one.startswith("action.arguments") for one in view.hidden):
        raise Forbidden("Some arguments are hidden from you, so you cannot change them. Hand the case over.")
    if answer.arguments is not None:
        await check_changed(view, answer.arguments)
    if answer.choice != "reject" or answer.response is not None:
        await check_response(view.document.get("response_schema"), answer.response)


async def check_changed(view: CaseView, arguments: dict[str, Any]) -> None:
    """Refuse changed arguments that the tool does not take, as far as the agent sent its schema.

    Raises:
        InvalidRequest: Names the argument at fault.
    """
    schema = view.document.get("tool_schema")
    if isinstance(schema, dict):
        await check_against(schema, arguments, field="arguments")


def proposed_of(view: CaseView) -> Proposed:
    """Return the action that the agent proposed, as it lies in the bundle."""
    arguments = view.document["action"]["arguments"]
    return Proposed(view.case.tool, view.case.server, arguments if isinstance(arguments, dict) else {})
