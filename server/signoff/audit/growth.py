"""Growth: the proof that a log which was seen before has only grown, as one text that convinces on its own.

The form is the body of C2SP tlog-witness `add-checkpoint` (c2sp.org/tlog-witness): what a witness takes, and what
everybody else who kept an older checkpoint can check:

    old 20852014
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
    jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=

    example.com/log42
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.com/log42 Az3grlgtzPICa5OS8npVmf1Myq/…

The older size, the hashes of a consistency proof (RFC 6962 §2.1.2), an empty line, and the newer signed checkpoint.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from signoff.audit.checkpoint import MAX_NOTE_CHARS, MAX_SIZE, Checkpoint, parse_checkpoint, parse_note
from signoff.audit.merkle import HASH_BYTES, check_consistency
from signoff.domain.errors import InvalidRequest

MAX_HASHES = 63  # tlog-witness; a tree of 2^63 leaves needs no more
MAX_GROWTH_CHARS = MAX_NOTE_CHARS + 64 * (MAX_HASHES + 1)

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


class GrowthInvalid(InvalidRequest):
    """A text that is not an old size, hashes, an empty line and a signed checkpoint."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The proof taken apart; nothing of it is checked yet."""

    old_size: int
    hashes: tuple[bytes, ...]
    note: str
    """The newer signed checkpoint."""

    @property
    def text(self) -> str:
        """Return it as it is sent and kept."""
        hashes = (base64.b64encode(one).decode("ascii") for one in self.hashes)
        return "\n".join([f"old {self.old_size}", *hashes, "", self.note])

    @property
    def checkpoint(self) -> Checkpoint:
        """Return what the newer note states; its signature is not checked."""
        return parse_checkpoint(parse_note(self.note).text)

    def shows(self, old_root: bytes) -> bool:
        """Say whether the newer tree begins with the one of the old size that had this root."""
        new = self.checkpoint
        return check_consistency(
            self.old_size, new.size, proof=self.hashes, old_root=old_root, new_root=new.root
        )


def parse_growth(text: str) -> Growth:
    """Read a proof of growth; the note in it is a checkpoint in form, its signature is not checked.

    Raises:
        GrowthInvalid: Any other form.
        CheckpointInvalid: What follows the empty line is not a signed checkpoint.
    """
    if len(text) > MAX_GROWTH_CHARS:
        raise GrowthInvalid(f"over {MAX_GROWTH_CHARS} characters.", field="proof")
    head, gap, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    old = _OLD.fullmatch(first)
    if old is None or not gap or int(old[1]) > MAX_SIZE:
        raise GrowthInvalid(
            "it begins with 'old' and a size; an empty line precedes the checkpoint.", field="proof"
        )
    if len(lines) > MAX_HASHES:
        raise GrowthInvalid(f"more than {MAX_HASHES} hashes.", field="proof")
    growth = Growth(int(old[1]), tuple(map(_hash, lines)), note)
    parse_checkpoint(parse_note(note).text)
    return growth


def _hash(line: str) -> bytes:
    try:
        made = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        made = b""
    if len(made) != HASH_BYTES or base64.b64encode(made).decode("ascii") != line:
        raise GrowthInvalid("a line of the proof is not one hash in base64.", field="proof")
    return made
