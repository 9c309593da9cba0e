"""What was said is recalled: at once, by words and by meaning, among everything else that was said."""

from agentmesh.memory.v1.context_pb2 import MEMORY_LAYER_FACTS, MEMORY_LAYER_RECENT, MEMORY_LAYER_SEMANTIC
from agentmesh.memory.v1.fact_pb2 import FACT_CATEGORY_PREFERENCE
from agentmesh.memory.v1.interaction_service_pb2 import SearchInteractionsRequest

from tests.integration.memory.conftest import Mesh, until
from tests.integration.memory.talk import CHATTER

ADA = "My name is Ada and I prefer short answers"


async def test_a_new_session_recalls_what_was_said_a_moment_ago(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    await ada.say(ADA, "Nice to meet you, Ada.", session="one")
    answer = await ada.recall("What is my name?", session="two")
    assert [item.interaction.input for item in answer.items] == [ADA]
    assert answer.items[0].layer == MEMORY_LAYER_SEMANTIC


async def test_the_right_turn_is_found_among_a_hundred(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    for number, (question, answer) in enumerate(CHATTER):
        if number == len(CHATTER) // 2:
            await ada.say(ADA, "Nice to meet you, Ada.", session="one")
        await ada.say(question, answer, session=f"s{number % 7}")
    context = await until(lambda: ada.recall("What is my name?"), lambda answer: not answer.degraded)
    assert len(CHATTER) >= 100
    assert ADA in [item.interaction.input for item in context.items[:3]]
    scores = [item.score for item in context.items]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert len(context.items) == 8
    assert context.tokens == sum(item.tokens for item in context.items) <= 2000


async def test_meaning_is_found_where_no_word_is_shared(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    for question, answer in CHATTER[:20]:
        await ada.say(question, answer)
    await ada.say("My kitten scratched the sofa again", "Try a scratching post.")

    async def best() -> str:
        found = await ada.turns.SearchInteractions(SearchInteractionsRequest(query="young cat ruining furniture"))
        return found.matches[0].interaction.input if found.matches else ""

    await until(best, lambda text: text == "My kitten scratched the sofa again")


async def test_a_search_keeps_to_its_session(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    await ada.say("I like red apples", session="one")
    await ada.say("I like green apples", session="two")
    request = SearchInteractionsRequest(query="apples", session="two", limit=5)
    found = await until(
        lambda: ada.turns.SearchInteractions(request), lambda answer: bool(answer.matches) and not answer.degraded
    )
    assert [match.interaction.input for match in found.matches] == ["I like green apples"]


async def test_a_context_has_recent_turns_in_order_then_what_fits_and_nothing_twice(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    await ada.know("answer style", "short", category=FACT_CATEGORY_PREFERENCE, importance=0.9)
    for number in range(4):
        await ada.say(f"Paris trip, step {number}", session="trip")
    for _ in range(3):
        await ada.say("When do we go to Paris?", "In May.", session="old")
    context = await ada.recall("the trip to Paris", session="trip", recent_limit=2)
    recent = [item.interaction.input for item in context.items if item.layer == MEMORY_LAYER_RECENT]
    assert recent == ["Paris trip, step 2", "Paris trip, step 3"]
    fitting = [item.interaction.input for item in context.items if item.layer == MEMORY_LAYER_SEMANTIC]
    assert sorted(fitting) == ["Paris trip, step 0", "Paris trip, step 1", "When do we go to Paris?"]
    facts = [item.fact.key for item in context.items if item.layer == MEMORY_LAYER_FACTS]
    assert facts == ["answer style"], "a preference is worth knowing whatever is asked"


async def test_the_budget_is_kept_and_large_turns_make_room_for_small_ones(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    await ada.say("The harbour report. " + "long " * 2000, session="one")
    await ada.say("The harbour opens at nine", session="one")
    context = await ada.recall("harbour", token_budget=50)
    assert [item.interaction.input for item in context.items] == ["The harbour opens at nine"]
    assert context.tokens <= 50


async def test_every_layer_can_be_left_out(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    await ada.say("I sail on Sundays", session="one")
    await ada.know("hobby", "sailing")
    context = await ada.recall("sailing", session="one", recent_limit=0, semantic_limit=0, fact_limit=0)
    assert not context.items
    only_facts = await ada.recall("sailing", session="one", recent_limit=0, semantic_limit=0)
    assert [item.fact.key for item in only_facts.items] == ["hobby"]
