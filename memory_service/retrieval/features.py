"""What the learned ranking sees of each candidate: a matrix with named columns, from scores and facts that are given.

Owns the columns, their order and how each is made comparable between users of fifty turns and of ten thousand: every
score is measured against the other candidates of the same question. It reads no store, runs no model, knows no weights.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval import lexicon

__all__ = ["Scene", "columns", "matrix"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NEAR = (0.5, 0.25)
_WIDE = (1.0, 1.0, 0.5, 0.25)


@dataclass(frozen=True, slots=True)
class Scene:
    """One question over one user's turns, which stand in order of session and of place in it."""

    found: lexicon.TermCounts
    """The question's terms in every turn."""
    is_name: Bools
    """(terms,): which of them belong to a speaker's name."""
    session: Ints
    """(turns,): any number that differs between sessions that touch."""
    chosen: Ints
    """(candidates,): places of the turns to rank, each once."""
    dense: Floats | None
    """(2, turns): cosine to the question and to the question without names; where unknown, the least that is known."""
    matches: Floats | None
    """(candidates, question tokens): from `maxsim.best_matches`, the question without names."""
    token_weights: Floats | None
    """(question tokens,): how much each counts."""
    by_named: Bools
    """(candidates,): said by one whom the question names."""
    by_other: Bools
    """(candidates,): the question names someone, but not the one who said this."""
    marks: Floats
    """(candidates, 4): from `phrases.marks`."""
    asks: Floats
    """(3,): from `phrases.asks`."""
    date_match: Floats
    """(candidates,): from `phrases.date_matches`."""
    lengths: Floats
    """(candidates,): characters of the turn."""


def columns(*, dense: bool, matches: bool) -> tuple[str, ...]:
    """Return the names of the matrix's columns, in order, with and without the two kinds of vectors."""
    names = [*_scored_names(dense=dense, matches=matches)]
    names += ["by_named", "by_other", "date", "length", "question", "photo", "when_time", "many_number", "might_photo"]
    return tuple(names)


def matrix(scene: Scene) -> Floats:
    """Return (candidates, columns): what `columns` names, for a scene with as many kinds of vectors."""
    scored = [_standard(values) for values in _scores(scene)]
    when, many, might = scene.asks
    time, number, question, photo = scene.marks.T
    length = np.log1p(scene.lengths)
    plain = [
        scene.by_named.astype(np.float32),
        scene.by_other.astype(np.float32),
        scene.date_match,
        (length - np.float32(4.5)).clip(-3, 3),
        question,
        photo,
        when * time,
        many * number,
        might * photo,
    ]
    return np.stack([*scored, *plain], axis=1).astype(np.float32)


def _scored_names(*, dense: bool, matches: bool) -> list[str]:
    names = ["turn", "turn_bare", "near", "near_bare", "wide", "session", "before", "after", "share", "near_share"]
    if dense:
        names += ["dense", "dense_bare", "dense_before", "dense_after", "dense_near", "dense_session"]
    if matches:
        names += ["match", "match_rare", "match_near", "match_before", "match_after", "match_session", "match_least"]
    return names


def _scores(scene: Scene) -> list[Floats]:
    session, chosen = scene.session, scene.chosen
    found, bare = scene.found, lexicon.TermCounts(scene.found.counts[~scene.is_name], scene.found.lengths)
    near, near_bare = found.windows(session, _NEAR), bare.windows(session, _NEAR)
    turn = lexicon.bm25(bare)
    scores = [
        lexicon.bm25(found),
        turn,
        lexicon.bm25(near),
        lexicon.bm25(near_bare),
        lexicon.bm25(bare.windows(session, _WIDE)),
        _by_session(lexicon.bm25(bare.sessions(session)), session),
        _beside(turn, session, 1),
        _beside(turn, session, -1),
        _share(bare, bare),
        _share(bare, near_bare),
    ]
    if scene.dense is not None:
        full, stripped = scene.dense
        scores += [
            full,
            stripped,
            _beside(stripped, session, 1),
            _beside(stripped, session, -1),
            lexicon.spread(stripped - stripped.min(), session, _NEAR),
            _session_best(stripped, session),
        ]
    scores = [values[chosen] for values in scores]
    if scene.matches is not None and scene.token_weights is not None:
        scores += _match_scores(scene, scene.matches, scene.token_weights)
    return scores


def _match_scores(scene: Scene, matches: Floats, weights: Floats) -> list[Floats]:
    turns = len(scene.session)
    # Turns that are no candidates are as bad as the worst candidate, word by word.
    every = np.broadcast_to(matches.min(axis=0), (turns, matches.shape[1])).copy()
    every[scene.chosen] = matches
    before, after = _beside(every.T, scene.session, 1).T, _beside(every.T, scene.session, -1).T
    share = weights / max(float(weights.sum()), 1e-6)
    near = np.maximum(every, np.float32(0.85) * np.maximum(before, after))
    plain = every.mean(axis=1)
    rare = every @ share
    heavy = weights >= weights.max() * np.float32(0.5)
    return [
        values[scene.chosen]
        for values in (
            plain,
            rare,
            near @ share,
            before @ share,
            after @ share,
            _session_best(rare, scene.session),
            every[:, heavy].min(axis=1),
        )
    ]


def _standard(values: Floats) -> Floats:
    # The spread of a list in which all are equal is 0, and so is what it says.
    deviation = float(values.std())
    scaled: Floats = ((values - values.mean()) / np.float32(deviation if deviation > 1e-6 else np.inf)).clip(-4, 8)
    return scaled


def _beside(values: Floats, session: Ints, distance: int) -> Floats:
    """Return the value of each turn's neighbour before it (1) or after it (-1); at the session's edge the least."""
    result = np.broadcast_to(values.min(axis=-1, keepdims=True), values.shape).copy()
    forward, backward = lexicon.neighbours(session, 1)
    source, target = forward if distance > 0 else backward
    result[..., target] = values[..., source]
    return result


def _starts(session: Ints) -> Ints:
    return np.flatnonzero(np.r_[True, session[1:] != session[:-1]])


def _by_session(values: Floats, session: Ints) -> Floats:
    own: Floats = values[np.cumsum(np.r_[False, session[1:] != session[:-1]])]
    return own


def _session_best(values: Floats, session: Ints) -> Floats:
    return _by_session(np.maximum.reduceat(values, _starts(session)), session)


def _share(query: lexicon.TermCounts, found: lexicon.TermCounts) -> Floats:
    """Return how much of the question's weight stands in each document at all."""
    weights = lexicon.idf(query)
    share: Floats = weights @ (found.counts > 0) / max(float(weights.sum()), 1e-6)
    return share
