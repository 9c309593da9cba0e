"""Answers that fit a JSON Schema, whatever the framework: taken, asked for once more, or refused; and begun again."""

import json

import pytest

from meshkit.errors import Internal
from meshkit.ids import new_id
from tests.fakes.model_server import ModelServer, say
from tests.integration.agent.conftest import Client, Run

CITY = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
}
WRONG, RIGHT = '{"name": "Köln"}', '{"name": "Köln", "people": 1087353}'


async def test_an_answer_that_fits_is_taken(client: Client, model: ModelServer, runtime: str) -> None:
    words = f"which city is it, {runtime}?"
    model.script(say(RIGHT), when=words)
    run = await client.run(words, spec={"output_schema": CITY, "instructions": "You know cities."})
    assert json.loads(run.all("completed")[0].output) == {"name": "Köln", "people": 1087353}
    (exchange,) = model.about(words)
    told = json.dumps(exchange.messages, ensure_ascii=False)
    assert "You know cities." in told
    assert '\\"required\\":[\\"name\\",\\"people\\"]' in told


async def test_one_that_does_not_fit_is_mended_once_and_not_again_after_a_restart(
    client: Client, model: ModelServer, runtime: str
) -> None:
    words, number = f"which city was it, {runtime}?", new_id("run")
    model.script(say(WRONG), say(RIGHT), when=words)
    spec = {"output_schema": CITY}
    run = await client.run(words, run=number, spec=spec)
    again = await client.run(words, run=number, attempt=2, spec=spec)
    for each in (run, again):
        assert each.all("completed")[0].output == RIGHT
        assert [message.text for message in each.all("message_finished")] == [WRONG, RIGHT]
        assert each.text == WRONG + RIGHT
    assert [started.replayed for started in again.all("step_started")] == [True, True]
    _, mending = model.about(words)
    assert "'people' is a required property" in mending.messages[-1]["content"]


async def test_one_that_does_not_fit_twice_ends_the_run(client: Client, model: ModelServer, runtime: str) -> None:
    words, run = f"which city will it be, {runtime}?", Run()
    model.script(say("Köln, surely."), say(WRONG), when=words)
    with pytest.raises(Internal) as caught:
        await client.run(words, into=run, spec={"output_schema": CITY})
    assert caught.value.reason == "OUTPUT_INVALID"
    assert "Köln" not in caught.value.message
    assert len(model.about(words)) == 2
    assert run.text == "Köln, surely." + WRONG
