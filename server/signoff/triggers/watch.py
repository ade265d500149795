"""The policy file on disk: the version that counts now, and what is wrong with a newer one."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path

from signoff.domain.errors import PolicyInvalid
from signoff.triggers.load import MAX_POLICY_BYTES, LoadedPolicy, load_policy

_Stamp = tuple[int, int, int]


class PolicyFile:
    """A policy file that is read again when it changes; a version that cannot be loaded never replaces one that can.

    Write a new version beside the file and rename it into place: then no half of it ever stands under this
    name. A file that changes while it is read, or that somebody still has open for writing (as Linux can tell), is
    left for the next call: the first half of a policy may well be a policy too, that allows more.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            PolicyInvalid: It cannot be read or loaded; nothing is decided without a policy.
        """
        self.path = path
        self._name = str(path)
        self.problem: str | None = None
        """Why the file as it is now is not the policy that counts; None while it is."""
        try:
            text, self._stamp = _read(path)
        except (OSError, ValueError) as error:
            raise PolicyInvalid(path.name, [f"{path.name}: {_why(error)}"]) from None
        self._loaded = load_policy(text, source=path.name)

    def current(self) -> LoadedPolicy:
        """Return the policy that counts now; costs one `stat` while the file stays as it is."""
        try:
            if _stamp(os.stat(self._name)) == self._stamp:  # noqa: PTH116 -- at every check; the path object takes as long as the call
                return self._loaded
            text, stamp = _read(self.path)
        except (OSError, ValueError) as error:
            self._stamp = (0, 0, 0)  # whatever stands there next is read
            self.problem = self._kept(f"{self.path.name}: {_why(error)}")
            return self._loaded
        try:
            loaded = load_policy(text, source=self.path.name)
        except PolicyInvalid as error:
            self._stamp, self.problem = stamp, self._kept(str(error))
            return self._loaded
        self._loaded, self._stamp, self.problem = loaded, stamp, None
        return loaded

    def _kept(self, why: str) -> str:
        return (
            f"{why}\nThe policy {self._loaded.digest[:19]}… loaded before stays in force; correct the file."
        )


def _read(path: Path) -> tuple[str, _Stamp]:
    with path.open("rb") as file:
        before = _stamp(os.fstat(file.fileno()))
        data = file.read(MAX_POLICY_BYTES + 1)
        # First whether somebody writes, then whether it is what was read: a writer may end between the two.
        if _is_being_written(file.fileno()):
            raise ValueError("it is still being written")
        if _stamp(os.fstat(file.fileno())) != before:
            raise ValueError("it changed while it was read")
    return data.decode("utf-8"), before


def _is_being_written(number: int) -> bool:
    """Say whether somebody has a file open for writing; False also where that cannot be known.

    A read lease (fcntl(2)) is given only where nobody has. It is handed back at once; a writer that comes in between
    waits for that, and the signal about it is one that is ignored unless somebody asks for it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        fcntl.fcntl(number, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(number, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(number, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # somebody else's file, or a file system without leases
        return False
    return False


def _stamp(stat: os.stat_result) -> _Stamp:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    return f"cannot be read: {error}"
