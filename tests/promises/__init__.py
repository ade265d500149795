"""The promises of the product, by id; `@promise("…")` on a test says which of them it tries to break.

Both directions are enforced: an id that is not here fails where it is used, and a promise that no test tries to
break fails in `tests/promises/test_promises.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

PROMISES = {
    "nothing-lost": "When a call returns, its effect is on disk: kill -9 at any point loses nothing acknowledged.",
    "no-alert-forgotten": "Alerts may repeat; none vanishes while its case waits.",
    "one-decision": "Whatever races, an escalation gets exactly one terminal outcome.",
    "approved-is-what-runs": "An approval is bound to the digest of the exact action.",
    "claimed-once": "An approval can be used once, by whichever process is first, and not after it ran out.",
    "only-that-human": "What an agent holds decides nothing; a foreign and an absent id answer alike.",
    "provable": "Any change to the log, or to what it commits to, is found and named by a verifier.",
    "signed-first": "No decision is released that a signed checkpoint does not cover.",
    "fail-closed": "What cannot be evaluated, written or read is never an approval.",
    "erasable": "A log verifies without what was erased, when the erasure is an event.",
    "no-secret-stored": "A secret that is recognised is masked before anything is stored.",
    "refused-whole": "Input over a limit or with two readings is refused with its field, before anything is stored.",
    "same-key-same-case": "A repeated call with its idempotency key gets the first answer, also after a restart.",
    "time-goes-forward": "Event times never decrease, and nothing that expired comes back.",
}
"""Id to promise: the first seven are those of the overview, in parts; the rest follow from its rules."""

Test = TypeVar("Test", bound=Callable[..., object])


def promise(*ids: str) -> Callable[[Test], Test]:
    """Mark a test that tries to break one or more promises.

    Raises:
        KeyError: There is no such promise.
    """
    for one in ids:
        PROMISES[one]

    def mark(test: Test) -> Test:
        return test

    return mark
