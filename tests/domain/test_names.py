"""A tool's name has one reading: what a person reads is what the policy's `tools` match."""

from __future__ import annotations

import pytest
from tests.promises import promise

from signoff.domain.bundle import read_action
from signoff.domain.errors import InvalidRequest, PolicyInvalid
from signoff.triggers.load import load_policy

READ_AS_WIRE_TRANSFER = [
    "wire_transfer ",
    " wire_transfer",
    "wire_transfer\u034f",
    "wire_transfer\u3164",
    "wire_transfer\u2800",
    "wire_transfer\ufe0f",
    "wire_transfer\u00ad",
    "wire_tr\u0430nsfer",
    "wire_tr\u0251nsfer",
    "w\u0131re_transfer",
    "wire_tran\u017ffer",
    "wire\uff3ftransfer",
    "wire\u02cdtransfer",
]


@promise("refused-whole")
@pytest.mark.parametrize(
    "name",
    [
        *READ_AS_WIRE_TRANSFER,
        "delete  user",  # a page shows one space
        "delete\u2010user",
        "\ufb01le_delete",
        "cafe\u0301",
        "\u0430\u0441\u0435_\u0441\u043e\u0440\u0443",  # reads ace_copy
    ],
)
@pytest.mark.parametrize("field", ["tool", "server"])
def test_a_name_that_reads_like_another_one_is_refused(name: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_action({"tool": "pay", field: name})
    assert refused.value.field == f"action.{field}"


@pytest.mark.parametrize(
    "name",
    [
        "wire_transfer",
        "mcp__bank__wire.transfer/v2",
        "delete user",
        "<b>pay</b>",
        "größe_ändern",
        "chuyển_tiền",
        "発注する",
        "отправить_платёж",
        "حذف_المستخدم",
    ],
)
def test_a_name_in_any_language_is_taken(name: str) -> None:
    assert read_action({"tool": name}).tool == name


@pytest.mark.parametrize("name", READ_AS_WIRE_TRANSFER)
def test_a_policy_cannot_name_a_tool_that_no_agent_can(name: str) -> None:
    text = f'version: 1\ntriggers:\n  - {{id: wires, tools: ["{name}"], then: escalate}}\n'
    with pytest.raises(PolicyInvalid) as refused:
        load_policy(text, source="policy.yaml")
    assert any("triggers[0].tools[0]: no tool can have such a name" in one for one in refused.value.problems)
