"""Builds the orchestrator, in reading order: stores, peers, engine, verbs, services. Nothing else builds things."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from agentmesh.memory.v1 import context_service_pb2, interaction_service_pb2, memory_service_pb2
from agentmesh.orchestrator.v1 import (
    agent_catalog_service_pb2_grpc,
    file_service_pb2_grpc,
    ledger_service_pb2_grpc,
    run_service_pb2_grpc,
    session_service_pb2_grpc,
)
from redis.asyncio import Redis

from meshkit.auth.authenticator import build_authenticator
from meshkit.auth.issuer import INTERNAL_ISSUER, PeerTokens, TokenIssuer
from meshkit.background import running
from meshkit.config import ConfigError
from meshkit.errors import MeshError
from meshkit.ids import new_id
from meshkit.rpc.channel import open_channel
from meshkit.rpc.server import MeshServer
from meshkit.rpc.service_config import load_service_config
from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import open_pool, ping_of
from meshkit.telemetry.setup import Telemetry
from orchestrator.adapters.agents import MeshAgents, mint_tokens
from orchestrator.adapters.dbos_engine import DbosEngine
from orchestrator.adapters.memory import MeshMemory
from orchestrator.config import Config
from orchestrator.convert.events import ProtoEvents
from orchestrator.convert.outcomes import outcome_from_bytes, outcome_to_bytes
from orchestrator.domain.briefing import Briefing
from orchestrator.domain.catalog import Catalog
from orchestrator.domain.delegation import Delegations
from orchestrator.domain.execution import Execution
from orchestrator.domain.feed import Feed
from orchestrator.domain.files import Files
from orchestrator.domain.following import Following
from orchestrator.domain.forking import Forking
from orchestrator.domain.gate import Gate
from orchestrator.domain.pausing import Pausing
from orchestrator.domain.remembering import Remembering
from orchestrator.domain.requests import Requests
from orchestrator.domain.runs import Runs
from orchestrator.domain.sessions import Sessions
from orchestrator.domain.slots import Shares
from orchestrator.domain.steering import Steering
from orchestrator.domain.stepping import Stepping
from orchestrator.servicers.catalog import CatalogServicer
from orchestrator.servicers.control import Control
from orchestrator.servicers.files import FileServicer
from orchestrator.servicers.ledger import LedgerServicer
from orchestrator.servicers.runs import RunServicer
from orchestrator.servicers.sessions import SessionServicer
from orchestrator.stores.agents import PostgresAgents
from orchestrator.stores.contexts import PostgresContexts
from orchestrator.stores.delegations import PostgresDelegations
from orchestrator.stores.event_log import EventLog
from orchestrator.stores.files import PostgresFiles
from orchestrator.stores.forking import PostgresForks
from orchestrator.stores.ledger import PostgresLedger
from orchestrator.stores.peers import peers_on
from orchestrator.stores.requests import PostgresRequests
from orchestrator.stores.retention import keep_tidy
from orchestrator.stores.runs import PostgresRuns
from orchestrator.stores.sessions import PostgresSessions
from orchestrator.stores.steering import PostgresSteering
from orchestrator.stores.steps import PostgresSteps
from orchestrator.stores.wakeups import Wakeups

__all__ = ["build"]

_PACKAGE = "agentmesh.orchestrator.v1"
_STREAMS = (f"/{_PACKAGE}.RunService/StreamRun", f"/{_PACKAGE}.RunService/SubscribeRun")
_log = structlog.get_logger(__name__)


async def build(config: Config, telemetry: Telemetry) -> MeshServer:
    """Return the orchestrator, ready to listen. What it opened is closed with the server."""
    if config.auth_signing_key_file is None:
        raise ConfigError("MESH_AUTH_SIGNING_KEY_FILE is not set; the orchestrator makes the mesh's internal tokens")
    server = MeshServer(
        config,
        build_authenticator(config, service="orchestrator"),
        service_configs=[load_service_config("orchestrator")],
        resumable=_STREAMS,
        telemetry=telemetry,
    )
    opened = server.resources

    # Stores
    database = config.database_url.get_secret_value()
    pool = await opened.enter_async_context(open_pool(database, "orchestrator", min_size=2, max_size=10))
    await migrate(pool, "orchestrator", read_migrations("orchestrator.stores.migrations"))
    # Short timeouts: whoever waits for Redis would rather poll.
    redis = Redis.from_url(config.redis_url.get_secret_value(), socket_connect_timeout=1.0, socket_keepalive=True)
    opened.push_async_callback(redis.aclose)
    codec, feed = ProtoEvents(), Feed()
    wakeups = Wakeups(redis, feed)
    shares = Shares(config.max_runs, config.max_runs_per_tenant, config.max_runs_per_agent)
    engine = DbosEngine(database, pool, shares)
    runs = PostgresRuns(pool, codec, feed, wakeups, released=engine.hurry)
    sessions, agents_store = PostgresSessions(pool), PostgresAgents(pool)
    log = EventLog(pool, codec, feed, wakeups)

    # Peers
    issuer = TokenIssuer(config.auth_signing_key_file, issuer=INTERNAL_ISSUER)
    to_memory = PeerTokens(issuer, service="orchestrator", audience="memory", scopes=("memory.read", "memory.write"))
    to_agents = PeerTokens(issuer, service="orchestrator", audience="agent", scopes=("agents.execute",))
    memory = MeshMemory(
        await opened.enter_async_context(
            open_channel(config.memory_address, load_service_config("memory"), credentials=to_memory)
        )
    )
    channels = {
        runtime: await opened.enter_async_context(
            open_channel(target, load_service_config("agent"), credentials=to_agents)
        )
        for runtime, target in config.runtimes.items()
    }
    agents = MeshAgents(channels, mint_tokens(issuer))

    # Engine
    remembering = Remembering(runs, memory, warn=_warn)
    peers = peers_on(agents.configured)
    briefing = Briefing(
        runs, PostgresContexts(pool), memory, codec, find=lambda tenant, name: peers(pool, tenant, name), warn=_warn
    )
    execution = Execution(runs, log, feed, agents, briefing, remembering, codec, clock=_now, warn=_warn)
    loops = (
        log.keep_writing(),
        wakeups.keep_publishing(),
        wakeups.keep_listening(),
        wakeups.keep_polling(runs.positions),
        keep_tidy(pool, config.event_retention),
        remembering.keep_catching_up(),
    )
    await opened.enter_async_context(running(*loops))
    await engine.open(execution)
    opened.push_async_callback(engine.close)
    asked = PostgresRequests(pool, codec, feed, wakeups)
    requests = Requests(asked, engine, clock=_now, warn=_warn)
    delegations = Delegations(PostgresDelegations(pool, codec, feed, wakeups), runs, engine, warn=_warn)
    runs.when_ended(delegations.hurry)
    watches = (
        engine.keep_watch(),
        engine.keep_starting(),
        engine.keep_tidy(),
        requests.keep_expiring(),
        delegations.keep_going(),
    )
    await opened.enter_async_context(running(*watches))

    # Verbs and services
    ledger = PostgresLedger(
        pool, codec, feed, wakeups, encode=outcome_to_bytes, decode=outcome_from_bytes, new_id=new_id, clock=_now,
        peers=peers, begun=engine.hurry,
    )  # fmt: skip
    gate = Gate(ledger, runs, feed, hold=config.hold_seconds)
    catalog = Catalog(agents_store, agents, new_id=new_id, clock=_now)
    verbs = Runs(runs, agents, engine, feed, new_id=new_id, clock=_now)
    files = Files(PostgresFiles(pool))
    following = Following(runs, feed, leaving=server.draining.is_set)
    control = Control(
        Pausing(runs, engine),
        requests,
        Steering(PostgresSteering(pool, codec, feed, wakeups), runs),
        Forking(PostgresForks(pool, runs, codec, outcome_to_bytes), agents, engine, new_id=new_id, clock=_now),
        Stepping(PostgresSteps(pool, outcome_from_bytes), runs),
    )
    public: tuple[tuple[Callable[[Any, Any], None], object, str], ...] = (
        (run_service_pb2_grpc.add_RunServiceServicer_to_server, RunServicer(verbs, following, control), "RunService"),
        (
            session_service_pb2_grpc.add_SessionServiceServicer_to_server,
            SessionServicer(Sessions(sessions, catalog, new_id=new_id, clock=_now)),
            "SessionService",
        ),
        (file_service_pb2_grpc.add_FileServiceServicer_to_server, FileServicer(files), "FileService"),
        (
            agent_catalog_service_pb2_grpc.add_AgentCatalogServiceServicer_to_server,
            CatalogServicer(catalog),
            "AgentCatalogService",
        ),
    )
    for register, servicer, name in public:
        server.add(register, servicer, f"{_PACKAGE}.{name}")
    server.add(
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server,
        LedgerServicer(gate, files),
        f"{_PACKAGE}.LedgerService",
        described=False,
    )
    # The door asks the orchestrator what there is, for the whole mesh.
    server.reflect(context_service_pb2.DESCRIPTOR, interaction_service_pb2.DESCRIPTOR, memory_service_pb2.DESCRIPTOR)
    server.watch("postgres", ping_of(pool))
    server.watch("redis", redis.ping, critical=False)
    return server


def _now() -> datetime:
    return datetime.now(UTC)


def _warn(action: str, run: str, error: MeshError) -> None:
    _log.warning(action, run=run, reason=error.reason, message=error.message)
