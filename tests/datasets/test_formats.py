"""What each format makes of a decided case."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.datasets.conftest import TALK, WIRE, Export, House
from tests.datasets.openai_schema import check_openai

from signoff.domain.decision import Answer


async def test_an_approved_case_teaches_the_call_as_it_was_proposed(house: House, exported: Export) -> None:
    case = await house.approved()

    made = await exported("openai-chat")

    (row,) = made.rows
    check_openai(row)
    seq = (await exported("jsonl", name="all")).rows[0]["audit_seq"]
    assert row == {
        "messages": [
            {"role": "system", "content": "You pay invoices."},
            {"role": "user", "content": "Please pay invoice 77."},
            {
                "role": "assistant",
                "weight": 0,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "get_invoice", "arguments": '{"id":77}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": '{"amount": 12500}'},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": f"{case}-{seq}",
                        "type": "function",
                        "function": {
                            "name": "wire_transfer",
                            "arguments": '{"amount":12500,"country":"DE"}',
                        },
                    }
                ],
                "weight": 1,
            },
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "get_invoice",
                    "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}},
                },
            },
            {
                "type": "function",
                "function": {
                    "name": "wire_transfer",
                    "parameters": {
                        "type": "object",
                        "properties": {"amount": {"type": "integer"}, "country": {"type": "string"}},
                    },
                },
            },
        ],
    }


async def test_a_modified_case_teaches_what_the_person_made_of_it(house: House, exported: Export) -> None:
    await house.modified({"amount": 9000, "country": "DE"})

    (row,) = (await exported("openai-chat")).rows

    check_openai(row)
    (call,) = row["messages"][-1]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"amount": 9000, "country": "DE"}


async def test_a_rejected_case_is_left_out_of_supervised_data_and_counted(
    house: House, exported: Export
) -> None:
    await house.rejected()

    made = await exported("openai-chat")

    assert made.rows == []
    assert made.written["counts"]["excluded"] == {"rejected": 1}


PROPOSAL = {
    "role": "assistant",
    "content": "I pay 12500 now.",
    "tool_calls": [{"id": "call_2", "tool": "wire_transfer", "arguments": WIRE}],
}


async def test_a_proposal_that_the_agent_recorded_is_not_there_twice(house: House, exported: Export) -> None:
    await house.approved(messages=[*TALK, PROPOSAL])

    (row,) = (await exported("openai-chat")).rows

    check_openai(row)
    assert [one["role"] for one in row["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert row["messages"][-1]["content"] == "I pay 12500 now."


async def test_words_that_announce_the_old_arguments_are_not_taught_with_the_new(
    house: House, exported: Export
) -> None:
    await house.modified({"amount": 9000, "country": "DE"}, messages=[*TALK, PROPOSAL])

    (row,) = (await exported("openai-chat")).rows

    check_openai(row)
    assert "content" not in row["messages"][-1]


async def test_ids_that_an_agent_left_out_are_filled_in(house: House, exported: Export) -> None:
    talk = [
        {"role": "user", "content": "Pay 77."},
        {
            "role": "assistant",
            "tool_calls": [{"tool": "get_invoice", "arguments": {"id": 77}}, {"tool": "today"}],
        },
        {"role": "tool", "content": "12500"},
        {"role": "tool", "content": "Monday"},
    ]
    await house.approved(messages=talk)

    (row,) = (await exported("openai-chat")).rows

    check_openai(row)
    assert [one.get("tool_call_id") for one in row["messages"][2:4]] == ["call_1_0", "call_1_1"]


async def test_of_parallel_proposals_only_the_answered_calls_stay(house: House, exported: Export) -> None:
    both = {
        "role": "assistant",
        "tool_calls": [
            {"id": "a", "tool": "get_invoice", "arguments": {"id": 77}},
            {"id": "b", "tool": "wire_transfer", "arguments": WIRE},
        ],
    }
    talk = [
        {"role": "user", "content": "Pay."},
        both,
        {"role": "tool", "tool_call_id": "a", "content": "12500"},
    ]
    await house.approved(messages=talk)

    (row,) = (await exported("openai-chat")).rows

    check_openai(row)
    assert [one["id"] for one in row["messages"][1]["tool_calls"]] == ["a"]


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        ([{"role": "user", "content": "Pay."}, {"role": "tool", "content": "?"}], "tool_result_without_call"),
        ([PROPOSAL, {"role": "user", "content": "And now?"}], "tool_call_without_result"),
    ],
)
async def test_a_conversation_that_cannot_be_repaired_goes_to_quarantine(
    house: House, exported: Export, talk: list[dict[str, Any]], reason: str
) -> None:
    await house.approved(messages=talk)

    made = await exported("openai-chat")

    assert made.rows == []
    assert made.reasons == [{reason}]


async def test_a_case_without_conversation_teaches_nothing_and_is_counted(
    house: House, exported: Export
) -> None:
    await house.modified({"amount": 1, "country": "DE"}, messages=[])

    assert (await exported("openai-chat", name="sft")).written["counts"]["excluded"] == {"no_conversation": 1}
    assert (await exported("trl-dpo", name="dpo")).written["counts"]["excluded"] == {"no_conversation": 1}


async def test_a_developer_message_is_a_system_message_where_only_that_is_known(
    house: House, exported: Export
) -> None:
    talk = [{"role": "developer", "content": "You pay invoices."}, {"role": "user", "content": "Pay."}]
    await house.approved(messages=talk)

    (row,) = (await exported("openai-chat")).rows

    check_openai(row)
    assert [one["role"] for one in row["messages"]] == ["system", "user", "assistant"]


async def test_arguments_of_every_json_type_get_a_definition_that_openai_takes(
    house: House, exported: Export
) -> None:
    arguments = {
        "a": [{"x": 1}, {"x": 1.5, "y": None}],
        "b": [],
        "c": {"d": True},
        "e": None,
        "f": [1, "one"],
        "g": [[1]],
    }
    await house.approved(tool="set_all", arguments=arguments)

    (row,) = (await exported("openai-chat")).rows

    check_openai(row)
    parameters = row["tools"][-1]["function"]["parameters"]
    Draft202012Validator(parameters).validate(arguments)
    assert parameters["properties"]["a"]["items"]["properties"]["x"] == {"type": "number"}
    assert parameters["properties"]["b"] == {"type": "array", "items": {}}


async def test_a_tool_name_that_openai_refuses_goes_to_quarantine(house: House, exported: Export) -> None:
    await house.approved(tool="payments/wire")

    assert (await exported("openai-chat")).reasons == [{"tool_name_not_taken"}]


async def test_a_modification_is_a_preference_for_the_persons_arguments(
    house: House, exported: Export
) -> None:
    case = await house.modified({"amount": 9000, "country": "DE"}, messages=[*TALK, PROPOSAL])

    (row,) = (await exported("trl-dpo")).rows

    def answer(arguments: dict[str, Any]) -> list[dict[str, Any]]:
        call = {"type": "function", "function": {"name": "wire_transfer", "arguments": arguments}}
        return [{"role": "assistant", "content": "", "tool_calls": [call]}]

    assert row["chosen"] == answer({"amount": 9000, "country": "DE"})
    assert row["rejected"] == answer(WIRE)
    assert row["prompt"] == [
        {"role": "system", "content": "You pay invoices."},
        {"role": "user", "content": "Please pay invoice 77."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"type": "function", "function": {"name": "get_invoice", "arguments": {"id": 77}}}
            ],
        },
        {"role": "tool", "content": '{"amount": 12500}', "name": "get_invoice"},
    ]
    assert [one["function"]["name"] for one in json.loads(row["tools"])] == ["get_invoice", "wire_transfer"]
    assert row["escalation_id"] == case
    assert row["audit_seq"] == (await exported("jsonl", name="all")).rows[0]["audit_seq"]


async def test_only_changed_arguments_make_a_preference(house: House, exported: Export) -> None:
    await house.approved()
    await house.rejected()
    asked = await house.ask(response_schema={"type": "object"})
    await house.decide(asked, Answer("modify", response={"ok": True}))

    made = await exported("trl-dpo")

    assert made.rows == []
    assert made.written["counts"]["excluded"] == {"arguments_unchanged": 2, "rejected": 1}


async def test_a_case_that_was_only_answered_teaches_the_call_as_proposed(
    house: House, exported: Export
) -> None:
    asked = await house.ask(response_schema={"type": "object"})
    await house.decide(asked, Answer("modify", response={"ok": True}))

    (row,) = (await exported("openai-chat")).rows

    check_openai(row)
    (call,) = row["messages"][-1]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == WIRE


async def test_jsonl_holds_all_of_each_decided_case(house: House, exported: Export) -> None:
    approved = await house.approved(confidence=0.8)
    rejected = await house.rejected()

    rows = (await exported("jsonl")).rows

    assert [(row["escalation_id"], row["status"]) for row in rows] == [
        (approved, "approved"),
        (rejected, "rejected"),
    ]
    first, second = rows
    assert first["action"] == {"tool": "wire_transfer", "arguments": WIRE}
    assert first["bundle"]["confidence"] == 0.8
    assert len(first["bundle"]["messages"]) == len(TALK)
    assert first["verdict"]["fired"][0]["trigger"] == "large-wire"
    assert first["final_arguments"] == WIRE
    assert first["final_digest"] == first["action_digest"]
    assert first["considered_ms"] == 30_000
    assert first["decisions"][0]["choice"] == "approve"
    assert first["decisions"][0]["audit_seq"] == first["audit_seq"] > first["opened_seq"]
    assert second["final_arguments"] is None
    assert second["decisions"][0]["note"] == "The invoice is paid."
