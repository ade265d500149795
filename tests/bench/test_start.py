"""`signoff mcp` from its start to its first answers, against a minimal server on the same SDK."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

GOAL = 1.2
ROUNDS = 9

MINIMAL = """\
from mcp.server.mcpserver import MCPServer

server = MCPServer("minimal")


@server.tool()
def echo(text: str) -> str:
    return text


server.run("stdio")
"""

REQUESTS: tuple[dict[str, object], ...] = (
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
)


def seconds_to_first_answers(command: list[str], environment: dict[str, str]) -> float:
    """Return the seconds from starting a server to its answer to tools/list."""
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 -- two servers named below
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(json.dumps(request).encode() + b"\n" for request in REQUESTS))
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        took = time.perf_counter() - began
        process.communicate()
    assert [answer["id"] for answer in answers] == [1, 2]
    assert answers[1]["result"]["tools"]
    return took


def test_signoff_mcp_starts_nearly_as_fast_as_a_minimal_server(tmp_path: Path) -> None:
    script = tmp_path / "minimal.py"
    script.write_text(MINIMAL)
    environment = {**os.environ, "SIGNOFF_HOME": str(tmp_path / "home")}
    minimal = [sys.executable, str(script)]
    ours = [sys.executable, "-m", "signoff", "mcp"]
    for command in (minimal, ours):  # the first start writes bytecode and makes the home
        seconds_to_first_answers(command, environment)
    pairs = [
        (seconds_to_first_answers(minimal, environment), seconds_to_first_answers(ours, environment))
        for _ in range(ROUNDS)
    ]
    base = statistics.median(pair[0] for pair in pairs)
    took = statistics.median(pair[1] for pair in pairs)
    print(f"\nminimal {base:.3f} s, signoff mcp {took:.3f} s, ratio {took / base:.2f} (goal {GOAL})")  # noqa: T201
    assert took / base <= GOAL
