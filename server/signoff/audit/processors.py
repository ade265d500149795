"""How many processors there are besides the one that this process keeps busy."""

from __future__ import annotations

import os


def spare_processors() -> int:
    """Return how many more processes may work at the same time; 0 on a machine with a single processor."""
    if hasattr(os, "sched_getaffinity"):  # a container is often given fewer than the machine has
        return len(os.sched_getaffinity(0)) - 1
    return (os.cpu_count() or 1) - 1
