"""The composition root: opens a home, builds the desk, and runs what serves it.

Any number of processes of one machine may open a home at once: every `signoff mcp` does. One of them hosts: it
holds `serve.lock`, serves the pages and sends the alerts. `opening.py` opens a home, `hosts.py` says who hosts it,
`hosting.py` runs what a host runs, `http.py` puts pages and MCP on one port, `anchors.py` keeps checkpoints elsewhere.
"""

from signoff.app.hosting import host_when_needed, publish, serve, stand_watch
from signoff.app.hosts import CannotHost, current_host
from signoff.app.opening import (
    compare_footer_with,
    cosigned_notes,
    kept_policies,
    local_user,
    only_error,
    open_desk,
    read_database,
    sqlite_settings,
    verify_database,
)

__all__ = [
    "CannotHost",
    "compare_footer_with",
    "cosigned_notes",
    "current_host",
    "host_when_needed",
    "kept_policies",
    "local_user",
    "only_error",
    "open_desk",
    "publish",
    "read_database",
    "serve",
    "sqlite_settings",
    "stand_watch",
    "verify_database",
]
