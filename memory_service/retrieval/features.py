"""What the learned ranking sees of each candidate: a matrix with named columns, from scores and facts that are given.

Owns the columns, their order, and how each is made comparable between a user of fifty turns and one of ten thousand:
a score is measured against the other candidates of the same question. It reads no store, runs no model, knows no
weights. A column that is equal for all candidates (no name in the question, one speaker only) changes no ranking.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval import lexicon

__all__ = ["Scene", "by_meaning", "by_words", "columns", "matrix"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# What a neighbour's words count in its turn's window, by distance. The first finds the turn, the second its subject.
_NEAR = (0.5, 0.25)
_WIDE = (1.0, 1.0, 0.5, 0.25)
_NEIGHBOUR = np.float32(0.85)  # what a match in the turn before or after is worth beside one in the turn itself

_WORDS = ("turn", "near", "wide", "session")
_DENSE = ("dense", "dense_near")
_MATCHES = ("match_rare", "match_near", "match_session")
_FACTS = ("by_named", "date", "question")


@dataclass(frozen=True, slots=True)
class Scene:
    """One question over one user's turns, which stand in order of session and of place in it."""

    words: Sequence[Floats]
    """From `by_words`, the question without the names of speakers."""
    meaning: Sequence[Floats]
    """From `by_meaning`, the question without names; where the store did not return a turn, the least that it returned.

    Empty if the meaning is not known."""
    session: Ints
    """(turns,): any number that differs between sessions that touch."""
    chosen: Ints
    """(candidates,): places of the turns to rank, each once; at least one."""
    matches: Floats | None
    """(candidates, question tokens): from `maxsim.best_matches`, the question without names."""
    token_weights: Floats | None
    """(question tokens,): from `question.token_weights`; given exactly when `matches` is."""
    by_named: Bools
    """(candidates,): said by someone whom the question names."""
    date_match: Floats
    """(candidates,): from `question.date_matches`."""
    asks_back: Bools
    """(candidates,): the turn holds a question."""


def columns(*, dense: bool, matches: bool) -> tuple[str, ...]:
    """Return the names of the matrix's columns, in order, for scenes with or without the two kinds of vectors."""
    return _WORDS + (_DENSE if dense else ()) + (_MATCHES if matches else ()) + _FACTS


def matrix(scene: Scene) -> Floats:
    """Return (candidates, columns): what `columns` names for a scene with as many kinds of vectors."""
    scores = [values[scene.chosen] for values in (*scene.words, *scene.meaning)]
    scores += _match_scores(scene)
    facts = [scene.by_named, scene.date_match, scene.asks_back]
    stacked: Floats = np.stack([*_standard(np.stack(scores)), *facts], axis=1, dtype=np.float32, casting="unsafe")
    return stacked


def by_words(found: lexicon.TermCounts, session: Ints) -> tuple[Floats, ...]:
    """Return the scores of each turn by the question's terms: its own, with near and wide neighbours, its session's."""
    return (
        lexicon.bm25(found),
        lexicon.bm25(found.windows(session, _NEAR)),
        lexicon.bm25(found.windows(session, _WIDE)),
        lexicon.bm25(found.sessions(session))[_rank_of_session(session)],
    )


def by_meaning(cosines: Floats, session: Ints) -> tuple[Floats, ...]:
    """Return each turn's scores by its cosine to the question: its own, and with its neighbours'."""
    return cosines, lexicon.spread(cosines - cosines.min(), session, _NEAR)


def _match_scores(scene: Scene) -> list[Floats]:
    if scene.matches is None or scene.token_weights is None:
        return []
    share = scene.token_weights / max(float(scene.token_weights.sum()), 1e-6)
    # A neighbour that is no candidate is taken to match as badly as the worst candidate, token by token.
    known = np.concatenate([scene.matches, scene.matches.min(axis=0, keepdims=True)])
    near = np.maximum(scene.matches, _NEIGHBOUR * np.maximum(known[_row(scene, -1)], known[_row(scene, 1)]))
    rare = scene.matches @ share
    ranks = _rank_of_session(scene.session)[scene.chosen]
    best = np.full(int(ranks.max()) + 1, -np.inf, dtype=np.float32)
    np.maximum.at(best, ranks, rare)
    return [rare, near @ share, best[ranks]]


def _row(scene: Scene, step: int) -> Ints:
    """Return the row among the candidates of each one's neighbour in its session; -1 where that is no candidate."""
    turns = len(scene.session)
    rows = np.full(turns, -1, dtype=np.int64)
    rows[scene.chosen] = np.arange(len(scene.chosen))
    beside = scene.chosen + step
    inside = beside.clip(0, turns - 1)
    together = (beside == inside) & (scene.session[inside] == scene.session[scene.chosen])
    return np.where(together, rows[inside], -1)


def _rank_of_session(session: Ints) -> Ints:
    ranks: Ints = np.cumsum(np.r_[False, session[1:] != session[:-1]])
    return ranks


def _standard(scores: Floats) -> Floats:
    """Return each row of scores in units of its own deviation from its own mean."""
    # A list in which all are equal says nothing, and comes out as zeros.
    away = scores - scores.mean(axis=1, keepdims=True)
    deviation = np.sqrt((away * away).mean(axis=1, keepdims=True))
    scaled: Floats = np.where(deviation < 1e-6, np.float32(0), away / np.maximum(deviation, np.float32(1e-6)))
    return scaled.clip(-4, 8)
