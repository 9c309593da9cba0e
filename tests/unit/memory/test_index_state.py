"""The steps between vector indexes: whatever the order, nothing in use or being built is ever among what is dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.indexes import IndexName, IndexState

NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.one_of(
    st.tuples(st.just("wanting"), NAMES),
    st.tuples(st.just("caught_up")),
    st.tuples(st.just("lost")),
    st.tuples(st.just("dropped"), NAMES),
)


def taken(state: IndexState, step: tuple[str, ...]) -> IndexState:
    match step:
        case ("caught_up",):
            return state.caught_up() if state.building else state
        case ("lost",):
            return state.lost() if state.in_use else state
        case (verb, name):
            new: IndexState = getattr(state, verb)(name)
            return new
    raise AssertionError(step)


@given(st.lists(STEPS, max_size=30))
def test_what_is_needed_is_never_dropped(steps: list[tuple[str, ...]]) -> None:
    state, made = IndexState(), set[str]()
    for step in steps:
        old, state = state, taken(state, step)
        made |= {state.in_use, state.building} - {""}
        assert {state.in_use, state.building}.isdisjoint(state.retired)
        assert not state.building or state.building != state.in_use
        assert len(set(state.retired)) == len(state.retired)
        gone = {step[1]} if step[0] == "dropped" else set()
        kept = {state.in_use, state.building, *state.retired}
        assert {old.in_use, old.building, *old.retired} - kept <= {"", *gone}, "nothing is forgotten before it is gone"
    assert {state.in_use, state.building, *state.retired} - {""} <= made


def test_a_wanted_index_is_built_beside_the_one_in_use_and_takes_its_place() -> None:
    state = IndexState(in_use="old").wanting("new")
    assert state == IndexState(in_use="old", building="new")
    assert state.wanting("new") is state
    assert state.caught_up() == IndexState(in_use="new", retired=("old",))
    assert state.caught_up().dropped("old") == IndexState(in_use="new")


def test_whoever_wants_the_old_one_again_gives_up_the_new_one() -> None:
    state = IndexState(in_use="old", building="new", filled=True)
    assert state.wanting("old") == IndexState(in_use="old", retired=("new",))
    assert state.wanting("old").wanting("new") == IndexState(in_use="old", building="new")


def test_a_name_tells_engine_model_and_dimension() -> None:
    name = IndexName("pgvector", "sentence-transformers/all-MiniLM-L6-v2", 384)
    assert IndexName.parse(str(name)) == name
    with pytest.raises(ValueError, match="invalid literal"):
        IndexName.parse("pgvector")
