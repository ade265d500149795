"""People are told: `worker.py` leases alerts and records what came of them, `messages.py` words them, `channels.py` sends."""
