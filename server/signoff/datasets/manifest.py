"""What an export holds, where it came from, and how to check that it is whole: `manifest.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signoff.domain.clock import to_text

NAME = "manifest.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A finished file."""

    sha256: str
    """64 hex digits, as `sha256sum` prints them."""
    size_bytes: int
    lines: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Where every case of the house went: `cases == rows + quarantined + the sum of excluded`."""

    cases: int
    rows: int
    quarantined: int
    excluded: Mapping[str, int]
    """By reason."""
    doubts: Mapping[str, int]
    """Quarantined rows by reason; a row may have several."""

    def as_json(self) -> dict[str, Any]:
        """Return the form that stands in manifest and event."""
        return {
            "cases": self.cases,
            "rows": self.rows,
            "quarantined": self.quarantined,
            "excluded": dict(sorted(self.excluded.items())),
            "doubts": dict(sorted(self.doubts.items())),
        }


@dataclass(frozen=True, slots=True)
class Manifest:
    """The facts of one export."""

    format: str
    made_at: datetime
    since: datetime | None
    signoff_version: str
    log: str
    """The name of the audit log that the rows' numbers belong to."""
    checkpoint: str | None
    """A signed note over a tree that holds every event the rows name; None for an empty log."""
    policy_digests: tuple[str, ...]
    """The policies under which the exported cases were opened."""
    masks: tuple[str, ...]
    """Paths that were hidden, by the policy in force."""
    counts: Counts
    files: Mapping[str, FileFacts]
    """By name, beside the manifest."""

    def as_json(self) -> dict[str, Any]:
        """Return the form that is written."""
        return {
            "manifest_version": VERSION,
            "format": self.format,
            "made_at": to_text(self.made_at),
            "signoff_version": self.signoff_version,
            "filters": {
                "since": None if self.since is None else to_text(self.since),
                "masks": list(self.masks),
            },
            "counts": self.counts.as_json(),
            "policy_digests": list(self.policy_digests),
            "log": self.log,
            "checkpoint": self.checkpoint,
            "files": {
                name: {"sha256": one.sha256, "size_bytes": one.size_bytes, "lines": one.lines}
                for name, one in sorted(self.files.items())
            },
        }

    @property
    def raw(self) -> bytes:
        """Return the bytes of `manifest.json`."""
        return json.dumps(self.as_json(), indent=2, ensure_ascii=False).encode() + b"\n"

    @property
    def digest(self) -> str:
        """Return `sha256:` and 64 hex digits over those bytes, as the audit event names it."""
        return "sha256:" + hashlib.sha256(self.raw).hexdigest()

    def summary(self) -> str:
        """Return one line for a terminal."""
        counts = self.counts
        made = f"{counts.rows} row{'' if counts.rows == 1 else 's'} from {counts.cases} case{'' if counts.cases == 1 else 's'}"
        if counts.quarantined:
            made += f", {counts.quarantined} in quarantine ({_words(counts.doubts)})"
        if counts.excluded:
            made += f", {sum(counts.excluded.values())} left out ({_words(counts.excluded)})"
        return made


def _words(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in sorted(counted.items()))
