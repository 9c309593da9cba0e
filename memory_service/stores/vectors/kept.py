"""The vectors of one owner, kept in this process: comparing with ten thousand of them takes a millisecond or two.

Owns their form in memory and how they are read from Postgres. What `mirror` promises, they keep: they are as the rows.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory_service.domain.model import Place

__all__ = ["KEPT_ROWS", "NEW_ROWS", "VectorShard"]

KEPT_ROWS = 50_000
"""An owner with more pieces than this is not kept (some 75 MB) but compared with in Postgres, which is as exact."""

NEW_ROWS = """
WITH fresh AS MATERIALIZED (
  SELECT source, session, piece, embedding FROM {table}
  WHERE tenant = $1 AND user_id = $2 AND kind = $3 AND written >= $4::bigint::text::xid8 LIMIT {most} + 1
)
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon,
  concat(pg_relation_filenode('{table}'), (
    SELECT mark FROM deletion WHERE relation = '{table}' AND owner = owner_hash($1, $2, $3)
  )) AS mark,
  count(*) AS count, array_agg(source) AS sources, array_agg(session) AS sessions, array_agg(piece) AS pieces,
  string_agg(halfvec_send(embedding), ''::bytea) AS vectors
FROM fresh
"""

_HEAD_BYTES = 4  # what Postgres sends before the numbers of a vector
_PLACE_BYTES = 200  # of the names of a piece in Python's lists


class _Rows:
    """Vectors one below the other, with room for more: a shard and those that follow it share them.

    Who holds an older shard goes on seeing as many rows as it had. A turn that is stored would else copy 15 MB.
    """

    def __init__(self, dimension: int, room: int = 0) -> None:
        self._all = np.empty((room, dimension), dtype=np.float32)
        self._used = 0

    @property
    def nbytes(self) -> int:
        return self._all.nbytes

    def first(self, count: int) -> NDArray[np.float32]:
        """Return a view of the first rows."""
        return self._all[:count]

    def plus(self, count: int, new: NDArray[np.float32]) -> "_Rows":
        """Return the first `count` rows and the new ones behind them."""
        rows, wanted = self, count + len(new)
        if self._used != count or wanted > len(self._all):
            rows = _Rows(self._all.shape[1], wanted + wanted // 8)
            rows._all[:count] = self._all[:count]
        rows._all[count:wanted] = new
        rows._used = wanted
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class VectorShard:
    """Pieces of an owner's things of one kind. `overflown`: there are too many of them, and it holds none."""

    rows: _Rows
    sources: Sequence[str] = ()
    sessions: Sequence[str] = ()
    pieces: Mapping[tuple[str, int], int] = field(default_factory=dict)
    overflown: bool = False

    @classmethod
    def empty(cls, dimension: int) -> "VectorShard":
        """Return a shard without pieces."""
        return cls(_Rows(dimension))

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(pieces, dimensions)."""
        return self.rows.first(len(self.sources))

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return self.rows.nbytes + _PLACE_BYTES * (1 + len(self.sources))

    def plus(self, rows: Any) -> "VectorShard | None":
        """Return the shard with the rows in it; None if one that it has is not as it was."""
        dimension = self.vectors.shape[1]
        if self.overflown or len(self.sources) + rows["count"] > KEPT_ROWS:
            return VectorShard(_Rows(dimension), overflown=True)
        raw = np.frombuffer(rows["vectors"], dtype=np.uint8).reshape(rows["count"], _HEAD_BYTES + 2 * dimension)
        vectors = raw[:, _HEAD_BYTES:].copy().view(">f2").astype(np.float32)
        names = list(zip(rows["sources"], rows["pieces"], strict=True))
        new = []
        for number, name in enumerate(names):
            there = self.pieces.get(name)
            if there is None:
                new.append(number)
            elif not np.array_equal(self.vectors[there], vectors[number]):
                return None
        if not new:
            return self
        pieces = dict(self.pieces)
        pieces.update({names[number]: len(self.sources) + place for place, number in enumerate(new)})
        return VectorShard(
            self.rows.plus(len(self.sources), vectors[new]),
            [*self.sources, *(rows["sources"][number] for number in new)],
            [*self.sessions, *(rows["sessions"][number] for number in new)],
            pieces,
        )

    async def nearest(self, place: Place, vector: Sequence[float], limit: int) -> dict[str, float]:
        """Compare with all pieces, or with those of the place's session; see `domain.vectors.Nearest`."""
        return await asyncio.to_thread(self._nearest, place.session, vector, limit)

    def _nearest(self, session: str, vector: Sequence[float], limit: int) -> dict[str, float]:
        likeness = self.vectors @ np.asarray(vector, dtype=np.float32)
        if session:
            likeness[[number for number, each in enumerate(self.sessions) if each != session]] = -np.inf
        found: dict[str, float] = {}
        # Pieces are taken best first until enough sources are found; a source has few pieces.
        ahead = min(len(likeness), 2 * limit)
        while True:
            order = np.argpartition(-likeness, ahead - 1)[:ahead] if ahead < len(likeness) else np.arange(len(likeness))
            for number in order[np.lexsort((order, -likeness[order]))]:
                if len(found) == limit or likeness[number] == -np.inf:
                    return found
                found.setdefault(self.sources[number], float(likeness[number]))
            if ahead >= len(likeness):
                return found
            found.clear()
            ahead = min(len(likeness), 2 * ahead)
