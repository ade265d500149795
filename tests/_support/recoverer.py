"""A process that confirms a recovery and kills itself with signal 9 at a point of it.

`python -m tests._support.recoverer HOME CODE POINT`; it ends with exit code 0 only where the point is never reached.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import anyio

from signoff.app import hosting, open_desk
from signoff.app import recovery as app_recovery
from signoff.audit.keys import CheckpointSigner
from signoff.config import Home, load_config
from signoff.desk import recover as desk_recover

POINTS: dict[str, tuple[Any, str]] = {
    "before the key directory": (CheckpointSigner, "allow"),
    "before the commit": (desk_recover, "replay"),
    "after the commit": (app_recovery, "publish"),
    "after signing": (hosting, "_write_anchor"),
    "after the anchor": (app_recovery, "scrub"),
}
"""Which function of the product is the last one that is called."""


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(home: Path, code: str, point: str) -> None:
    holder, name = POINTS[point]
    setattr(holder, name, die)
    config = load_config(Home(home))
    async with open_desk(config) as desk:
        await app_recovery.confirm_recovery(desk, config, by="Amir", code=code)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], sys.argv[3])
