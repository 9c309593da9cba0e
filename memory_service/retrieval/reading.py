"""Keeping the token vectors of turns: beside the vectors of the index, by the same worker.

Owns which tokens are kept: of each side of a turn the first ones, read in its place after the day and the speaker.
"""

from collections.abc import Collection, Mapping
from typing import Protocol

from memory_service.domain.model import Interaction, Kind, Source
from memory_service.domain.passages import head
from memory_service.domain.ports import Sources
from memory_service.retrieval import maxsim
from memory_service.retrieval.tokens import TokenModel

__all__ = ["TokenIndexer", "TokenWriter"]

_TEXTS_AT_ONCE = 4  # few, as in `domain.indexing`: a question waits for the texts that the model is at


class TokenWriter(Protocol):
    """Where token vectors are kept."""

    async def put(self, tokens: Mapping[str, bytes]) -> None:
        """Store the tokens of turns, whoever owns them; a turn that is gone gets none."""
        ...


class TokenIndexer:
    """Reads turns token by token."""

    def __init__(self, sources: Sources, model: TokenModel, tokens: TokenWriter) -> None:
        self._sources, self._model, self._tokens = sources, model, tokens

    async def index(self, changed: Collection[Source]) -> None:
        """Keep the tokens of those of the sources that are turns. Raises a MeshError when the model does not answer."""
        turns = {source for source in changed if source.kind is Kind.INTERACTION}
        items = await self._sources.current(turns) if turns else {}
        found = [item for item in items.values() if isinstance(item, Interaction)]
        texts = [head(turn) + turn.input for turn in found]
        packed: dict[str, bytes] = {}
        for start in range(0, len(found), _TEXTS_AT_ONCE):
            some = slice(start, start + _TEXTS_AT_ONCE)
            readings = await self._model.read(texts[some])
            for turn, reading in zip(found[some], readings, strict=True):
                # The head is read, for what is said then means more, but it is the same in every turn of a day.
                packed[turn.id] = maxsim.pack(reading.said(len(head(turn))))
        if packed:
            await self._tokens.put(packed)
