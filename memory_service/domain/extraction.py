"""Facts found in what users say, and what becomes of them: the values, and what finding and keeping them needs.

What finds candidates (`Extractor`) is never believed: `domain.gating` decides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from memory_service.domain.model import Fact, FactCategory, Interaction, Owner
from memory_service.domain.ports import Rows

__all__ = [
    "Candidate",
    "Extraction",
    "ExtractionStore",
    "Extractor",
    "Judged",
    "Surroundings",
    "Verdict",
]


class Verdict(StrEnum):
    """What became of a candidate."""

    KEPT = "KEPT"
    UNSUPPORTED = "UNSUPPORTED"
    RECALLED = "RECALLED"
    NOT_THE_USER = "NOT_THE_USER"
    NOT_MEANT = "NOT_MEANT"
    NOT_WORTH_KEEPING = "NOT_WORTH_KEEPING"
    CONTESTED = "CONTESTED"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may be a fact. `quote` are the words of the turn that are said to say so."""

    key: str
    value: str
    category: FactCategory
    importance: float
    quote: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate and what became of it; `fact` is the id of the one that was stored or contested."""

    candidate: Candidate
    verdict: Verdict
    fact: str = ""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was found in one turn."""

    interaction: str
    owner: Owner
    extractor: str
    dry_run: bool
    candidates: Sequence[Judged]
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was there before a turn."""

    earlier: Sequence[Interaction] = ()
    """The latest turns of its session before it, oldest first."""
    staged: Sequence[str] = ()
    """What was said in its session before it that may begin or end a play, oldest first."""
    known: Mapping[str, Fact] = field(default_factory=dict)
    """The person's facts by key."""


class Extractor(Protocol):
    """Looks for facts. What it returns is a suggestion, whatever it is made of."""

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    async def extract(self, turn: Interaction, around: Surroundings) -> Sequence[Candidate]:
        """Return what the user may have said of themselves in the turn's input, in its order.

        Raises Unavailable, DeadlineExceeded and ResourceExhausted when it cannot look now.
        """
        ...

    async def close(self) -> None:
        """Free what it holds."""
        ...


Claim = Callable[[Candidate], Fact]
"""Makes a fact of a candidate, to be stored."""


class ExtractionStore(Protocol):
    """Where reports are kept, and facts with them."""

    async def turn(self, owner: Owner, interaction: str) -> Interaction:
        """Return the turn. Raises NotFound."""
        ...

    async def around(self, turn: Interaction) -> Surroundings:
        """Return what was there before the turn."""
        ...

    async def find(self, owner: Owner, interaction: str) -> Extraction | None:
        """Return what was found in the turn before, if it was looked through."""
        ...

    async def record(self, turn: Interaction, found: Extraction, claim: Claim) -> Extraction:
        """Store the report and, unless it is a dry run, the facts that it keeps, all or nothing.

        Returns the report with the facts' ids, or the one that was there before: a turn gives its facts once. Raises
        NotFound if the turn is gone.
        """
        ...

    async def list(self, owner: Owner, before: tuple[datetime, str] | None, limit: int) -> Rows[Extraction]:
        """Return the reports that found something, older than the (time, turn) given, newest first."""
        ...
