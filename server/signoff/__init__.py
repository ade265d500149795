"""signoff: agents ask, people decide, and what was decided can be proved.

A tour, along the path of one escalation:

1. `agents` are the doors: an agent asks over MCP or HTTP, with its action and a bundle of all it knows.
2. `desk` holds the use cases, one verb a file: check, request, wait, decide, claim. Every door calls it.
3. `triggers` turn the policy file into a verdict; `domain` holds the words and the moves of a case, pure.
4. `store` writes a case, its audit event and its alerts in one transaction, or nothing.
5. `alerts` tell people; a magic link leads them to the pages of `operators`, where they decide.
6. `audit` chains, signs and verifies what happened; `datasets` exports what was decided.

`app` puts these together, `config` holds every setting, `cli` starts it. Imports go one way, down this list
of layers: cli, app, config; alerts, agents, operators, datasets; desk; triggers, audit, store; domain.
"""

__version__ = "0.1.0"
