"""Builds the agent service; the only place that does."""

import time
from collections.abc import Sequence

from agentmesh.agent.v1.agent_service_pb2_grpc import add_AgentServiceServicer_to_server

from agent_service.adapters import runtimes
from agent_service.adapters.circuits import CircuitTelemetry
from agent_service.adapters.files import MeshFiles
from agent_service.adapters.gateway.server import ModelGateway
from agent_service.adapters.gateway.upstream import Upstream
from agent_service.adapters.json_schema import JsonSchemas
from agent_service.adapters.ledger import MeshLedgers
from agent_service.adapters.sandbox.box import Sandbox
from agent_service.adapters.tools.arxiv_search import ArxivSearch
from agent_service.adapters.tools.ask_user import AskUser
from agent_service.adapters.tools.calculator import Calculator
from agent_service.adapters.tools.chart import Chart
from agent_service.adapters.tools.current_time import CurrentTime
from agent_service.adapters.tools.document_search import DocumentSearch
from agent_service.adapters.tools.memory import Memory
from agent_service.adapters.tools.memory_remember import MemoryRemember
from agent_service.adapters.tools.memory_search import MemorySearch
from agent_service.adapters.tools.run_python import RunPython
from agent_service.adapters.tools.sql_query import SqlQuery
from agent_service.adapters.tools.table_statistics import TableStatistics
from agent_service.adapters.tools.web_fetch import WebFetch
from agent_service.adapters.tools.wikipedia_search import WikipediaSearch
from agent_service.adapters.web.client import WebClient
from agent_service.adapters.web.guard import Guard
from agent_service.config import OFFLINE_MODEL, Config
from agent_service.domain.breaker import Breakers
from agent_service.domain.execution import Executor
from agent_service.domain.tool import Tool
from agent_service.servicers.agent import AgentServicer
from meshkit.auth.authenticator import build_authenticator
from meshkit.rpc.channel import open_channel
from meshkit.rpc.server import MeshServer
from meshkit.rpc.service_config import load_service_config
from meshkit.telemetry.setup import Telemetry

__all__ = ["SERVICE_NAME", "build"]

SERVICE_NAME = "agentmesh.agent.v1.AgentService"


async def build(config: Config, telemetry: Telemetry, *, tools: Sequence[Tool] = ()) -> MeshServer:
    """Return the service, ready to listen; agents may name `tools` besides its own. Raises ConfigError."""
    server = MeshServer(
        config,
        build_authenticator(config, service="agent"),
        service_configs=[load_service_config("agent")],
        telemetry=telemetry,
    )

    memory_channel = open_channel(config.memory_address, load_service_config("memory"))
    server.resources.push_async_callback(memory_channel.close)
    ledger_channel = open_channel(config.orchestrator_address, load_service_config("orchestrator"))
    server.resources.push_async_callback(ledger_channel.close)

    key = config.model_key.get_secret_value() if config.model_key else None
    breakers = Breakers(time.monotonic, CircuitTelemetry(telemetry.meter).changed)
    gateway = ModelGateway(Upstream(config.model_url, key, config.timeouts), config.model, breakers, config.prices)
    await gateway.start()
    server.resources.push_async_callback(gateway.stop)

    memory = Memory(memory_channel)
    web = WebClient(Guard(config.web_allowed))
    reading: list[Tool] = [
        WebFetch(web),
        WikipediaSearch(web, config.wikipedia_url),
        ArxivSearch(web, config.arxiv_url),
    ]
    own: list[Tool] = [
        Calculator(),
        CurrentTime(),
        MemorySearch(memory),
        MemoryRemember(memory),
        AskUser(),
        DocumentSearch(memory),
    ]
    files, sandbox = MeshFiles(ledger_channel).of, Sandbox()
    working: list[Tool] = [RunPython(sandbox, files), TableStatistics(files), SqlQuery(sandbox, files), Chart(files)]
    runtime = runtimes.load(config.runtime)
    server.resources.push_async_callback(runtime.close)
    executor = Executor(
        runtime,
        gateway,
        [*own, *reading, *working, *tools],
        MeshLedgers(ledger_channel),
        breakers,
        JsonSchemas(),
        max_runs=config.max_runs,
        leaving=server.draining.is_set,
    )

    server.add(add_AgentServiceServicer_to_server, AgentServicer(executor, OFFLINE_MODEL), SERVICE_NAME)
    return server
