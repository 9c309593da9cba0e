"""Who takes part in the test of isolation, what is theirs, and how an answer that shows another's is told.

Every text that a person stores holds their canary, a word of their own. An answer may hold the canaries of those whom
it is about, and no others: neither in its bytes nor in the words of an error.
"""

import random
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from google.protobuf.message import Message

from meshkit.errors import Internal, MeshError, Unimplemented
from tests.integration.memory.conftest import Client

__all__ = ["CANARY", "Person", "Refusal", "World"]

CANARY = re.compile(rb"zq[0-9a-f]{10}", re.IGNORECASE)
_ID = re.compile(rb"(?:int|fact|doc)_[0-9A-HJKMNP-TV-Z]{26}")

Call = Callable[[], Awaitable[Message | list[Message]]]


@dataclass(eq=False)
class Person:
    """Somebody who calls. A clerk may act for everybody of their tenant."""

    tenant: str
    user: str
    client: Client
    agent: Client | None = None
    """The agent service, acting for them."""
    is_clerk: bool = False
    is_witness: bool = False
    """Stores once, and is to find it all untouched at the end."""
    canary: str = field(default_factory=lambda: f"zq{secrets.token_hex(5)}")
    named: set[str] = field(default_factory=set)
    """Ids that they were told of: what they store may name them."""

    def may_see(self, other: "Person") -> bool:
        """Tell whether what the other has is open to them, asked for in the right way."""
        return other is self or (self.is_clerk and other.tenant == self.tenant)

    def __str__(self) -> str:
        return f"{self.user!r} of {self.tenant!r}{' (clerk)' if self.is_clerk else ''}"


@dataclass(frozen=True)
class Refusal:
    """How a call was refused, in every word that the caller hears but the trace, which each call has of its own."""

    kind: str
    reason: str
    message: str
    metadata: str
    fields: str
    retry_after: float | None

    @property
    def may_pass(self) -> bool:
        """Tell whether a store or the service had no time, which says nothing of what was asked for."""
        return self.kind in {"Unavailable", "DeadlineExceeded", "ResourceExhausted"}

    @classmethod
    def of(cls, error: MeshError) -> "Refusal":
        """Return it of an error."""
        metadata = {name: value for name, value in error.metadata.items() if name != "trace_id"}
        return cls(
            type(error).__name__, error.reason, error.message, str(sorted(metadata.items())),
            str(error.field_violations), error.retry_after,
        )  # fmt: skip


class World:
    """Everybody, what is known of whose is what, and what went wrong."""

    def __init__(self, people: list[Person], seed: int) -> None:
        self.people, self.random = people, random.Random(seed)
        self.by_canary = {person.canary.encode(): person for person in people}
        self.owners: dict[str, Person] = {}
        """Of the ids of turns, facts and documents that were ever given out."""
        self._ids: dict[str, list[str]] = defaultdict(list)
        self.tokens: dict[str, list[str]] = defaultdict(list)
        """Page tokens by the method that gave them, whoever got them."""
        self._requests: set[tuple[Person, str, str]] = set()
        self.done = 0
        self.own: Counter[str] = Counter()
        """How often a method showed a person what is theirs: one that never does proves nothing."""
        self.refused: Counter[tuple[str, str]] = Counter()
        self.called: set[str] = set()
        self.unimplemented: set[str] = set()
        self.problems: list[str] = []

    def other_than(self, person: Person) -> Person:
        """Return somebody whose things are closed to the person."""
        return self.random.choice([other for other in self.people if not person.may_see(other)])

    def keep(self, id_: str, owner: Person) -> None:
        """Remember whose the id is."""
        if id_ not in self.owners:
            self.owners[id_] = owner
            self._ids[id_.partition("_")[0]].append(id_)

    def id_of(self, kind: str, good: Callable[[Person], bool]) -> str | None:
        """Return the id of something, rather new, that belongs to somebody like that; None if none is found."""
        known = self._ids[kind]
        for _ in range(20 if known else 0):
            chosen = known[self.random.randrange(max(0, len(known) - 500), len(known))]
            if good(self.owners[chosen]):
                return chosen
        return None

    def first_use(self, owner: Person, method: str, request: str) -> bool:
        """Tell whether nobody used the request id for the owner yet; now somebody does."""
        use = owner, method, request
        first = use not in self._requests
        self._requests.add(use)
        return first

    async def ask(self, person: Person, method: str, call: Call, about: Person | None) -> list[Message] | Refusal:
        """Make a call of the person's and judge what comes back.

        It may be about one person only; None: about whoever is open to the caller. Returns the answers or the refusal.
        """
        self.done += 1
        self.called.add(method)
        try:
            answer = await call()
        except MeshError as error:
            refusal = Refusal.of(error)
            self._judge(person, method, str(refusal).encode(), about, refused=True)
            self.refused[method, refusal.reason] += 1
            if isinstance(error, Unimplemented):
                self.unimplemented.add(method)
            elif isinstance(error, Internal) or refusal.kind == "MeshError":
                self.problems.append(f"{method} of {person}: {refusal}")
            return refusal
        answers = answer if isinstance(answer, list) else [answer]
        for answer in answers:
            self._judge(person, method, answer.SerializeToString(), about, refused=False)
        return answers

    def _judge(self, person: Person, method: str, told: bytes, about: Person | None, *, refused: bool) -> None:
        for canary in set(CANARY.findall(told)):
            owner = self.by_canary.get(canary.lower())
            if owner is None or not (person.may_see(owner) and about in (None, owner)):
                self.problems.append(f"{method} of {person} tells what {owner} stored: {told[:300]!r}")
            elif owner is person and not refused:
                self.own[method] += 1
        for name in {found.decode() for found in _ID.findall(told)} - person.named:
            owner = self.owners.get(name)
            if owner is not None and not person.may_see(owner):
                self.problems.append(f"{method} of {person} names {name} of {owner}: {told[:300]!r}")
