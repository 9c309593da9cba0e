"""Which vector indexes there are: the one that is searched, the one being built to take its place, those to be dropped.

Owns how that changes; `stores/registry.py` keeps it. An index is one model's vectors in one engine. While another is
built, searches go on in the one in use, every change goes to both, and they change places in one step:

    want ─► building ─► filled (everything is in its outbox) ─► caught up ─► in use;  the one before ─► retired ─► gone

The process that started last decides which index is wanted; others follow it, so two configurations that run side by
side for a while never build against each other.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

from memory_service.domain.embedding import Embedder
from memory_service.domain.vectors import VectorStore

__all__ = ["Engines", "Index", "IndexName", "IndexState", "Indexes"]

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Index:
    """A model and the engine that holds its vectors: what is asked of the one must be embedded by the other."""

    embedder: Embedder
    vectors: VectorStore


@dataclass(frozen=True, slots=True)
class IndexName:
    """What an index is called: its engine, its model and the dimension of its vectors."""

    engine: str
    model: str
    dimension: int

    def __str__(self) -> str:
        return f"{self.engine}/{self.model}/{self.dimension}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the parts of a name. Raises ValueError for anything else."""
        engine, _, rest = name.partition("/")
        model, _, dimension = rest.rpartition("/")
        return cls(engine, model, int(dimension))


@dataclass(frozen=True, slots=True)
class IndexState:
    """The names of the indexes; an empty one means none. Each method returns the state that follows."""

    in_use: str = ""
    building: str = ""
    filled: bool = False
    """Everything there is was put into the outbox of the one being built."""
    retired: tuple[str, ...] = ()

    def wanting(self, name: str) -> Self:
        """Let the index be in use, or become so; what was being built instead is given up."""
        if name == self.building:
            return self
        building = "" if name == self.in_use else name
        return replace(self, building=building, filled=False, retired=self._retiring(self.building, keep=name))

    def caught_up(self) -> Self:
        """Let the index that was built take the place of the one in use."""
        retired = self._retiring(self.in_use, keep=self.building)
        return replace(self, in_use=self.building, building="", filled=False, retired=retired)

    def lost(self) -> Self:
        """Build the index in use anew, for its engine does not have it any more; until then there is none."""
        return self if self.building else replace(self, in_use="", building=self.in_use, filled=False)

    def dropped(self, name: str) -> Self:
        """Forget an index that was retired."""
        return replace(self, retired=tuple(each for each in self.retired if each != name))

    def _retiring(self, name: str, *, keep: str) -> tuple[str, ...]:
        retired = dict.fromkeys((*self.retired, name))
        return tuple(each for each in retired if each not in {"", keep})


class Engines(Protocol):
    """The engines and models that this process has."""

    @property
    def wanted(self) -> str:
        """The name of the index that the configuration asks for."""
        ...

    def index(self, name: str) -> Index | None:
        """Return the index of a name; None if its engine or model is not to be had."""
        ...

    def vectors(self, name: str) -> VectorStore | None:
        """Return the vectors of an index, whoever may ask them; None if its engine is not to be had."""
        ...


class Indexes(Protocol):
    """The index in use, whichever it is at the moment."""

    async def ask(self, question: Callable[[Index], Awaitable[Answer]]) -> Answer:
        """Put a question to the index in use; once more if another took its place meanwhile.

        Raises what the question raises, and Unavailable while there is no index, or this process lacks its model.
        """
        ...
