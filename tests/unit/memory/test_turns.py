"""Ranking turns: questions without names, tokens as bits, the pool, and weights that must fit."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from memory_service.retrieval import maxsim
from memory_service.retrieval.features import columns
from memory_service.retrieval.lexicon import pack
from memory_service.retrieval.question import Question, date_matches, token_weights
from memory_service.retrieval.shard import Row, WordShard
from memory_service.retrieval.tokens import Reading
from memory_service.retrieval.turns import ByWords, Pool
from memory_service.retrieval.weights import SETS, Weights, dump_weights, load_weights

MAY = int(datetime(2023, 5, 8, tzinfo=UTC).timestamp() * 1e6)
WEIGHTS = load_weights()


def shard(*said: tuple[str, str], session: str = "s") -> WordShard:
    rows = [
        Row(f"int_{place}", session, MAY + place, speaker, "?" in text, pack(text))
        for place, (speaker, text) in enumerate(said)
    ]
    made = WordShard().with_rows(rows)
    assert made is not None
    return made


TALK = shard(
    ("Ada", "I bought a violin"), ("Bob", "The kettle is loud"), ("Ada", "My sister lives in Oslo"), ("Bob", "Nice")
)


def test_a_question_is_compared_without_the_names_in_it() -> None:
    question = Question.of("What did Ada Lovelace's sister say to Bob?", ["Ada Lovelace", "Bob", "Eve"])
    assert question.bare == "What did sister say to ?"
    assert question.named == {"Ada Lovelace", "Bob"}
    assert Question.of("Ada?", ["Ada"]).bare == "Ada?", "a question that is nothing but names"
    assert Question.of("May I?", []).named == frozenset()


def test_dates_are_matched_by_their_parts() -> None:
    times = np.array(["2023-05-08T07:00", "2023-06-08", "2022-05-01"], dtype="datetime64[us]")
    assert date_matches("What happened on 8 May 2023?", times).tolist() == pytest.approx([1, 1 / 3, 1 / 3])
    assert date_matches("in June 2023", times).tolist() == [0.5, 1.0, 0.0]
    assert date_matches("May I ask who may come?", times).tolist() == [0, 0, 0]


def test_a_bit_for_each_dimension_keeps_what_is_near() -> None:
    chance = np.random.default_rng(3)
    vectors = chance.standard_normal((8, 384)).astype(np.float32)
    packed = [maxsim.pack(vectors[:4]), maxsim.pack(vectors[4:]), b""]
    assert [len(each) for each in packed] == [4 * 48, 4 * 48, 0]
    matches = maxsim.best_matches(vectors[[1, 6]], packed)
    assert matches.shape == (3, 2)
    assert matches[0, 0] > 0.7 > abs(matches[1, 0])
    assert matches[1, 1] > 0.7 > abs(matches[0, 1])
    assert matches[2].tolist() == [-1, -1]
    with pytest.raises(ValueError, match="cut short"):
        maxsim.best_matches(vectors, [b"short"])
    assert len(maxsim.pack(chance.standard_normal((100, 384)).astype(np.float32))) == 64 * 48


def test_a_token_weighs_as_its_word_is_rare() -> None:
    question = Question.of("the violin", [])
    weights = token_weights([None, "the", "violin", "violin", "?"], {question.bare_terms[0]: 2.0})
    assert weights.tolist() == pytest.approx([0.15, 0.12, 1 / 2**0.5, 1 / 2**0.5, 0.0])


def test_words_rank_alone_when_meaning_is_not_known() -> None:
    ranked = Pool.drawn(ByWords.of(Question.of("Where does Ada's sister live?", TALK.speakers), TALK), None).ranked(
        WEIGHTS
    )
    assert ranked[0][0] == "int_2"
    assert [score for _, score in ranked] == sorted((score for _, score in ranked), reverse=True)
    assert all(0 <= score <= 1 for _, score in ranked)


def test_meaning_and_tokens_move_a_turn_up() -> None:
    question = Question.of("Which instrument?", TALK.speakers)
    states = np.eye(2, 384, dtype=np.float32)
    reading = Reading([0.0], states, [0, 6], ["Which", "instrument"])
    pool = Pool.drawn(ByWords.of(question, TALK), {"int_0": 0.7, "int_1": 0.1}).leaders(WEIGHTS)
    assert pool.ranked(WEIGHTS)[0][0] == "int_0"
    tokens = {"int_0": maxsim.pack(states + 0.01), "int_1": maxsim.pack(-states - 0.01)}
    assert pool.read(reading, tokens).ranked(WEIGHTS)[0][0] == "int_0"
    assert pool.read(reading, {}) is pool


def test_one_session_only_and_nothing_of_nothing() -> None:
    other = WordShard().with_rows([*TALK.rows, Row("int_9", "t", MAY, "Ada", False, pack("a violin"))])
    assert other is not None
    found = Pool.drawn(ByWords.of(Question.of("violin", other.speakers), other), {"int_0": 0.9, "int_gone": 0.8}, "t")
    assert [source for source, _ in found.ranked(WEIGHTS)] == ["int_9"]
    nobody = Pool.drawn(ByWords.of(Question.of("violin", ()), other), {}, "nowhere")
    assert nobody.ranked(WEIGHTS) == []


def test_weights_must_be_those_of_the_features(tmp_path: Path) -> None:
    file = tmp_path / "weights.json"
    file.write_text(dump_weights(WEIGHTS))
    assert {name: values.tolist() for name, values in load_weights(file).sets.items()} == {
        name: values.tolist() for name, values in WEIGHTS.sets.items()
    }
    whole = json.loads(file.read_text())
    for broken in (
        {**whole, "full": {**whole["full"], "turn": float("nan")}},
        {**whole, "full": {"turn": 1.0}},
        {"full": whole["full"]},
        [],
    ):
        file.write_text(json.dumps(broken))
        with pytest.raises(ValueError, match="weights"):
            load_weights(file)
    assert SETS["full"] == columns(dense=True, matches=True)
    assert isinstance(WEIGHTS, Weights)
