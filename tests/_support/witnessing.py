"""Logs as a witness meets them: a key, a tree that grows, and the requests that a log sends."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, SigningKey, sign
from signoff.audit.growth import Growth


@dataclass
class TestLog:
    """A log in memory. Two with one key are a fork."""

    key: SigningKey
    mark: bytes = b"event"
    """What its events say; forks differ in it."""
    common: int = 0
    """How many first events are those of every log with this name."""
    nodes: dict[merkle.NodeId, bytes] = field(default_factory=dict)
    size: int = 0
    edge: merkle.Edge = ()

    __test__ = False  # not a case, whatever its name begins with

    def grow(self, size: int) -> None:
        while self.size < size:
            mark = b"event" if self.size < self.common else self.mark
            leaf = merkle.leaf_hash(mark + b" %d" % self.size)
            self.edge, made = merkle.append(self.size, self.edge, leaf=leaf)
            self.nodes |= {(level, index): digest for level, index, digest in made}
            self.size += 1

    def root(self, size: int) -> bytes:
        self.grow(size)
        return merkle.root([self.nodes[node] for node in merkle.edge_nodes(size)])

    def note(self, size: int) -> str:
        return sign(Checkpoint(self.key.name, size, self.root(size)), self.key)

    def request(self, old: int, new: int) -> str:
        """Return the body of add-checkpoint, as an honest log would write it."""
        self.grow(new)
        plan = merkle.plan_consistency(old, new)
        return Growth(old, tuple(plan.proof(self.nodes)), self.note(new)).text


def new_log(name: str = "log.example/one") -> TestLog:
    return TestLog(SigningKey(name, Ed25519PrivateKey.generate()))


def fork_of(log: TestLog, *, at: int) -> TestLog:
    """Return a log with the same key and the same first events, and others from `at` on."""
    return TestLog(log.key, b"other", at)
