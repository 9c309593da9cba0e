"""What the user says meanwhile keeps its place in the conversation, whatever the framework sends."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent_service.adapters.gateway.conversation import Conversation
from agent_service.domain.ledger import Steering

NO_MESSAGE: list[Any] = []


def framework(*texts: str) -> list[Any]:
    return [{"role": "assistant", "content": text} for text in texts]


def texts(messages: list[Any]) -> str:
    return " ".join(str(message["content"]) for message in messages)


def test_nothing_said_changes_nothing() -> None:
    assert Conversation().complete(framework("a", "b")) == framework("a", "b")


def test_what_was_said_stays_where_the_model_first_read_it() -> None:
    talk = Conversation()
    talk.join([Steering(1, "S1")], 2)
    assert talk.complete(framework("a", "b"))[2] == {"role": "user", "content": "S1"}
    assert texts(talk.complete(framework("a", "b", "c", "d"))) == "a b S1 c d"


def test_what_is_said_together_keeps_its_order() -> None:
    talk = Conversation()
    talk.join([Steering(1, "S1"), Steering(2, "S2"), Steering(10, "S10")], 1)
    assert texts(talk.complete(framework("a", "b"))) == "a S1 S2 S10 b"


def test_what_is_told_again_is_said_once() -> None:
    talk = Conversation()
    talk.join([Steering(1, "S1")], 1)
    talk.join([Steering(1, "S1"), Steering(2, "S2")], 3)
    assert texts(talk.complete(framework("a", "b", "c"))) == "a S1 b c S2"


def test_a_framework_that_forgets_still_passes_on_what_was_said() -> None:
    talk = Conversation()
    talk.join([Steering(1, "S1")], 5)
    assert texts(talk.complete(framework("a"))) == "a S1"


def test_the_frameworks_own_list_is_left_alone() -> None:
    talk, messages = Conversation(), framework("a")
    talk.join([Steering(1, "S1")], 1)
    talk.complete(messages)
    assert messages == framework("a")


@given(st.lists(st.lists(st.text(max_size=3), max_size=3), max_size=6))
def test_a_growing_conversation_only_ever_grows_at_its_end(turns: list[list[str]]) -> None:
    """So a model's cached prefix, and the meaning of what it read before, stay as they were."""
    talk, own, before, number = Conversation(), NO_MESSAGE, NO_MESSAGE, 0
    for said in turns:
        own = [*own, *framework("question" if not own else "answer")]
        talk.join([Steering(number := number + 1, text) for text in said], len(own))
        now = talk.complete(own)
        assert now[: len(before)] == before
        assert len(now) == len(own) + number
        before = now
