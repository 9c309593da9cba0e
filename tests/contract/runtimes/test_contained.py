"""What a runtime does to the world outside: it reaches its model, its tools' services, and nothing else."""

from pathlib import Path

import pytest

from meshkit.errors import Unavailable
from meshkit.testing.credentials import TestTokens
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import ModelServer, call, fail, say
from tests.integration import agent as agent_tests
from tests.integration.agent.conftest import MODEL_KEY, Client, agent_process, logged

GUARDED = Path(agent_tests.__path__[0], "guarded.py")


async def test_it_connects_to_its_model_and_itself_only_and_leaks_nothing(
    runtime: str, tmp_path: Path, model: ModelServer, tokens: TestTokens, ledger: LedgerPeer
) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=from-a-file\nMESH_MAX_RUNS=1\n")
    report, text = tmp_path / "report", f"{runtime} guarded run"
    model.script(call("calculator", {"expression": "6*7"}), say("42"), when=text)
    model.script(*[fail(401, text=MODEL_KEY)] * 3, when=f"{runtime} guarded failure")
    arguments = (str(GUARDED), str(report))
    with agent_process(
        tmp_path, model.url, tokens, ledger, runtime=runtime, arguments=arguments, MESH_LOG_LEVEL="debug"
    ) as process:
        async with process.channel() as channel:
            client = Client(channel, tokens, runtime)
            run = await client.run(text, "calculator", spec={"instructions": "canary-of-the-prompt"})
            with pytest.raises(Unavailable) as caught:
                await client.run(f"{runtime} guarded failure")
    port = int(model.url.rpartition(":")[2].partition("/")[0])
    seen = set(report.read_text().splitlines())
    connections = {line for line in seen if line.startswith("connect ('")}
    own = connections - {f"connect ('127.0.0.1', {port})"}
    assert f"connect ('127.0.0.1', {port})" in connections
    assert len(own) == 1, own
    assert own.pop().startswith("connect ('127.0.0.1', ")  # the gateway
    others = {line for line in seen if not line.startswith("connect")}
    assert others <= {"look up '127.0.0.1'", "look up 'localhost'", "subprocess.Popen 'uname'"}, others
    assert {each.headers["authorization"] for each in model.about(text)} == {f"Bearer {MODEL_KEY}"}
    lines = logged(process)
    assert lines, "each line of its output is one of its log"
    for secret in (MODEL_KEY, "canary-of-the-prompt", "sk-of-somebody-else"):
        assert secret not in process.log.read_text()
        assert secret not in f"{run.events}{caught.value}"
