"""What is told, whatever is known: within budget and limits, nothing twice, in order."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.context import ContextQuery, Fitting, arranged
from memory_service.domain.model import Fact, FactCategory, FactOrigin, Interaction, Layer, Origin, Owner, Passage
from memory_service.domain.ranking import tokens_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ADA = Owner("acme", "ada")
# Few words: the same is said again and again, by everybody.
WORDS = st.lists(st.sampled_from(["tea", "Tea", "is", "hot", "日本", "x" * 40]), max_size=6).map(" ".join)
SCORE = st.floats(0, 1)


def numbered(items: list, prefix: str) -> list:
    return [(f"{prefix}_{number}", *values) for number, values in enumerate(items)]


def turns(prefix: str) -> st.SearchStrategy[list[tuple[Interaction, float]]]:
    one = st.tuples(WORDS.filter(str.strip), WORDS, st.sampled_from(Origin), SCORE)
    return st.lists(one, max_size=8).map(
        lambda said: [
            (Interaction(name, ADA, "s", "", "", text, answer, {}, NOW, origin=origin), score)
            for name, text, answer, origin, score in numbered(said, prefix)
        ]
    )


def facts(prefix: str) -> st.SearchStrategy[list[tuple[Fact, float]]]:
    one = st.tuples(WORDS, WORDS, st.sampled_from(FactOrigin), SCORE)
    return st.lists(one, max_size=8).map(
        lambda known: [
            (Fact(name, ADA, key, value, FactCategory.PROFILE, 0.5, origin, "", NOW, NOW, "e"), score)
            for name, key, value, origin, score in numbered(known, prefix)
        ]
    )


PASSAGES = st.lists(st.tuples(WORDS, SCORE), max_size=6).map(
    lambda read: [
        (Passage(name, ADA, "Title", "", 1, "", text, 0, len(text)), score)
        for name, text, score in numbered(read, "doc")
    ]
)
LIMIT = st.integers(0, 6)
QUERIES = st.builds(
    ContextQuery,
    user=st.just(""),
    session=st.just("s"),
    query=st.just("tea?"),
    budget=st.one_of(st.integers(1, 60), st.just(100_000)),
    recent=LIMIT,
    semantic=LIMIT,
    facts=LIMIT,
    documents=LIMIT,
)


def said(item: Interaction | Fact | Passage) -> tuple[str, ...]:
    parts = {
        Fact: lambda: (f"{item.key}: {item.value}",),
        Passage: lambda: (item.text,),
        Interaction: lambda: (item.input, item.output),
    }[type(item)]()
    return tuple(" ".join(part.split()).casefold() for part in parts if part.strip())


@given(QUERIES, turns("new"), turns("old"), facts("fact"), facts("standing"), PASSAGES)
def test_whatever_is_known(
    query: ContextQuery, latest: list, fit: list, known: list, standing: list, read: list
) -> None:
    best = [sorted(each, key=lambda scored: -scored[1]) for each in (fit, known, read)]
    fitting = Fitting(
        *([item for item, _ in each] for each in best), {item.id: score for each in best for item, score in each}, []
    )
    newest = [turn for turn, _ in latest][: query.recent]
    context = arranged(query, newest, [fact for fact, _ in standing][: query.facts], fitting)
    by_layer = {layer: [item for item in context.items if item.layer is layer] for layer in Layer}

    assert context.tokens == sum(tokens_of(item.source) for item in context.items) <= query.budget
    for layer, limit in (
        (Layer.RECENT, query.recent),
        (Layer.SEMANTIC, query.semantic),
        (Layer.FACTS, query.facts),
        (Layer.DOCUMENTS, query.documents),
    ):
        assert len(by_layer[layer]) <= limit
    assert len({item.source.id for item in context.items}) == len(context.items)
    told = [(said(item.source), is_own(item.source)) for item in context.items]
    assert len(set(told)) == len(told), "nobody says the same twice"

    recent = by_layer[Layer.RECENT]
    assert context.items[: len(recent)] == recent
    places = [newest.index(item.source) for item in recent]
    assert places == sorted(places, reverse=True), "the oldest first"
    scores = [item.score for item in context.items[len(recent) :]]
    assert scores == sorted(scores, reverse=True)
    if query.budget == 100_000:
        texts = {text for text, _ in told} | {(part,) for text, _ in told for part in text}
        assert all(said(turn) in texts for turn in newest), "what fits is told"


def is_own(item: Interaction | Fact | Passage) -> bool:
    match item:
        case Fact():
            return item.origin in {FactOrigin.CLIENT, FactOrigin.EXTRACTION}
        case Interaction():
            return item.origin is Origin.USER
        case _:
            return False


def test_the_newest_turns_facts_and_the_best_each_have_their_share() -> None:
    """Worked out by hand: of 40 tokens, 20 are for recent turns, 10 for facts, and 10 and what is left for the rest."""
    text = "abcd"  # a token
    newest = [Interaction(f"new_{i}", ADA, "s", "", "", f"{i}{text * 6}"[:24], "", {}, NOW) for i in range(4)]  # 6 each
    fit = [Interaction(f"old_{i}", ADA, "t", "", "", f"{i}{text * 9}"[:36], "", {}, NOW) for i in range(2)]  # 9 each
    known = [
        Fact(f"fact_{i}", ADA, f"{i}aaa", text, FactCategory.GOAL, 0.5, FactOrigin.CLIENT, "", NOW, NOW, "e")  # 2 each
        for i in range(6)
    ]
    scores = {item.id: 1 - number / 100 for number, item in enumerate([*fit, *known])}
    query = ContextQuery("", "s", "?", 40, 10, 10, 10, 10)
    context = arranged(query, newest, [], Fitting(fit, known, [], scores, []))
    # Recent turns: three of 6, 2 left. Facts: five of 2. The rest has 10 + 2: one of 9, 3 left: the sixth fact.
    assert [item.source.id for item in context.items] == [
        "new_2", "new_1", "new_0", "old_0", "fact_0", "fact_1", "fact_2", "fact_3", "fact_4", "fact_5",
    ]  # fmt: skip
    assert context.tokens == 39
