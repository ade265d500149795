"""The recording: conversations of an airline's service agent, and the calls in them that change something."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHARED = "SIGNOFF_SHARED"
FILE = Path("data") / "airline_trajectories.json"
CHANGES = ("book_reservation", "cancel_reservation", "send_certificate", "update_")


@dataclass(frozen=True)
class Call:
    """One call of a tool that changes something, with what the agent knew when it made it."""

    conversation: str
    """`task-trial`."""
    number: int
    """Of the message in the conversation."""
    tool: str
    arguments: dict[str, Any]
    messages: list[dict[str, Any]]
    """The conversation so far in OpenAI's form; the last message proposes this call."""
    user_id: str
    was_right: bool
    """Whether the conversation ended as it should have: the recorded reward."""
    result: str
    """What the tool answered then."""

    @property
    def bundle(self) -> dict[str, Any]:
        """What a person gets to see beside the action."""
        thoughts = [
            json.loads(call["function"]["arguments"]).get("thought", "")
            for message in self.messages
            for call in message.get("tool_calls") or ()
            if call["function"]["name"] == "think"
        ]
        return {
            "messages": self.messages,
            "reasoning": [{"kind": "thought", "text": text} for text in thoughts if text],
            "subject": {"id": self.user_id},
            "state": {"conversation": self.conversation, "message": self.number},
        }


def default_file() -> Path:
    """Where the recording lies: in the directory that SIGNOFF_SHARED names, or beside this repository."""
    shared = os.environ.get(SHARED)
    return (Path(shared) if shared else Path(__file__).resolve().parents[3] / "shared") / FILE


def read_calls(path: Path) -> list[Call]:
    """Return every changing call, in the order of the recording."""
    return [call for record in json.loads(path.read_text(encoding="utf-8")) for call in calls_of(record)]


def calls_of(record: dict[str, Any]) -> list[Call]:
    """Return the changing calls of one conversation."""
    turns = record["traj"]
    answers = {turn["tool_call_id"]: turn["content"] for turn in turns if turn["role"] == "tool"}
    made = []
    for number, turn in enumerate(turns):
        for call in turn.get("tool_calls") or ():
            if not call["function"]["name"].startswith(CHANGES):
                continue
            made.append(
                Call(
                    conversation=f"{record['task_id']}-{record['trial']}",
                    number=number,
                    tool=call["function"]["name"],
                    arguments=json.loads(call["function"]["arguments"]),
                    messages=turns[: number + 1],
                    user_id=record["info"]["task"]["user_id"],
                    was_right=record["reward"] == 1,
                    result=answers.get(call["id"], ""),
                )
            )
    return made
