"""Verifying a large log against reading and hashing the same bytes; memory; and the proof of one case in it.

    make bench ARGS=tests/bench/test_verify.py                                 # 100,000 events, about a minute
    SIGNOFF_BENCH_EVENTS=1000000 make bench ARGS=tests/bench/test_verify.py    # about six, two of them to make the log

The log holds what usually happens to a case: opened, alert sent, link opened, looked at, decided with a signed receipt,
claimed, outcome reported; seven events, three payloads of 2.2 KB together, and a checkpoint every 1,400 events.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
from tests._support.cases import second_hand
from tests._support.logs import BUNDLE, KEYS, POLICY, LogFile, log_file

from signoff.audit.merkle import leaf_hash
from signoff.audit.tlog_proof import check_proof
from signoff.desk.checkpoints import prove_event
from signoff.store.sqlite import open_snapshot

EVENTS = int(os.environ.get("SIGNOFF_BENCH_EVENTS", "100000"))
GOAL = 0.25
"""Of the best pair: what else the machine does makes each of the two slower, never faster."""
MOST_GROWTH_MB = 40
PROOF_MS = 20
TABLES = {
    "audit_event": "seq",
    "audit_node": "level, idx",
    "payload": "seq, field",
    "receipt": "seq",
    "checkpoint": "size",
    "escalation": "opened_seq",
    "decision": "seq",
}


LONG = {
    **BUNDLE,
    "reasoning": [
        {
            "kind": "thought",
            "text": f"Step {n}: compare the amount, the account and the due date with the order.",
        }
        for n in range(190)
    ],
}
"""20 KB, the bundle that the design measures requests with."""


def fill(log: LogFile, events: int) -> None:
    log.event("policy.loaded", policy_digest=POLICY, triggers=0)
    number = 0
    while log.head.size < events:
        log.live(number, bundle=LONG)
        number += 1
        if number % 200 == 0:
            log.sign()
    log.sign()


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "big.db"
    with log_file(path) as log:
        fill(log, EVENTS)
    return path


def seconds_to_hash(path: Path) -> float:
    """Return the seconds to read every row that verifying reads, and to hash its bytes."""
    began = time.perf_counter()
    with second_hand(path) as db:
        for table, order in TABLES.items():
            for row in db.execute(f"SELECT * FROM {table} ORDER BY {order}"):  # noqa: S608 -- the tables above
                made = hashlib.sha256()
                for value in row:
                    made.update(value if type(value) is bytes else str(value).encode())
                made.digest()
    return time.perf_counter() - began


VERIFY = """\
if __name__ == "__main__":  # helpers begin by importing this file, as they do the small one of the command `signoff`
    import re, resource, sys, time
    from pathlib import Path
    import anyio
    from signoff.app import verify_database
    from tests._support.logs import KEYS

    began = time.perf_counter()
    report = anyio.run(lambda: verify_database(Path(sys.argv[1]), KEYS, on_progress=lambda done, of: None))
    took = time.perf_counter() - began
    assert report.ok, report.problems
    # Not ru_maxrss: that of a new process begins with what the one had that started it.
    most = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    print(report.events, took, most / 1024,
          resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def verified(path: Path, tmp_path: Path) -> tuple[int, float, float, float]:
    """Verify in a process of its own; returns events, seconds, and the most memory of it and of its helpers, in MB."""
    script = tmp_path / "verify_big.py"
    script.write_text(VERIFY, encoding="utf-8")
    root = Path(__file__).parents[2]
    done = subprocess.run(  # noqa: S603 -- the script above
        [sys.executable, str(script), str(path)],
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'server'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    events, took, own, helpers = done.stdout.split()
    return int(events), float(took), float(own), float(helpers)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_log_is_verified_at_a_steady_part_of_the_rate_of_reading_and_hashing_it(
    big: Path, tmp_path: Path
) -> None:
    pairs = [(seconds_to_hash(big), verified(big, tmp_path)[1]) for _ in range(3 if EVENTS <= 200_000 else 2)]
    base, took = (statistics.median(pair[at] for pair in pairs) for at in (0, 1))
    ratio = max(one / other for one, other in pairs)
    print(  # noqa: T201
        f"\n{EVENTS} events: read and hashed in {base:.1f} s, verified in {took:.1f} s,"
        f" ratio {ratio:.2f} (goal {GOAL}), {EVENTS / took:,.0f} events/s"
    )
    assert ratio >= GOAL


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_verifying_ten_times_the_log_takes_no_more_memory(big: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.db"
    with log_file(small) as log:
        fill(log, EVENTS // 10)
    _, _, before, _ = verified(small, tmp_path)
    _, _, after, helpers = verified(big, tmp_path)
    print(  # noqa: T201
        f"\n{EVENTS // 10} events: {before:.0f} MB; {EVENTS} events: {after:.0f} MB, helpers {helpers:.0f} MB each"
    )
    assert after - before < MOST_GROWTH_MB


@pytest.mark.timeout(3600)
def test_an_event_of_a_large_log_is_proven_in_milliseconds(big: Path) -> None:
    async def proven() -> list[float]:
        took = []
        async with open_snapshot(big) as reader:
            newest = await reader.newest_checkpoint()
            assert newest is not None
            size, note = newest
            for number in range(50):
                seq = number * (size - 1) // 49
                began = time.perf_counter()
                event = await reader.event(seq)
                assert event is not None
                proof = await prove_event(reader, seq, note, event=event)
                took.append(time.perf_counter() - began)
                check_proof(proof, leaf=leaf_hash(event), keys=KEYS.log)
        return took

    took = anyio.run(proven)
    median_ms = statistics.median(took) * 1000
    print(f"\na proof in a log of {EVENTS} events: {median_ms:.1f} ms")  # noqa: T201
    assert median_ms < PROOF_MS
