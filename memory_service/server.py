"""Builds the memory service, in reading order: stores, index, workers, verbs, services. Nothing else builds things."""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import structlog
from agentmesh.memory.v1 import (
    context_service_pb2_grpc,
    document_service_pb2_grpc,
    interaction_service_pb2_grpc,
    memory_service_pb2_grpc,
)
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from memory_service.adapters.embedding.factory import build_embedder, load_offline
from memory_service.adapters.embedding.offline import OfflineModel
from memory_service.adapters.embedding.weights import ModelFilesError
from memory_service.adapters.reading.reader import FileReader
from memory_service.adapters.reranking.http import HttpReranker
from memory_service.config import Config
from memory_service.domain.context import Contexts
from memory_service.domain.documents import Documents
from memory_service.domain.embedding import Embedder
from memory_service.domain.facts import Facts
from memory_service.domain.indexing import Indexer
from memory_service.domain.interactions import Interactions
from memory_service.domain.model import Source
from memory_service.domain.search import Search
from memory_service.engines import ConfiguredEngines, Wrap
from memory_service.extraction import add_extraction
from memory_service.privacy import add_privacy
from memory_service.retrieval.reading import TokenIndexer
from memory_service.retrieval.reranking import RerankedSearch, Texts
from memory_service.retrieval.search import HybridSearch
from memory_service.retrieval.weights import Weights, load_weights
from memory_service.servicers.context import ContextServicer
from memory_service.servicers.documents import DocumentServicer
from memory_service.servicers.facts import FactServicer
from memory_service.servicers.interactions import InteractionServicer
from memory_service.stores.documents import PostgresDocuments
from memory_service.stores.facts import PostgresFacts
from memory_service.stores.indexes import PostgresIndexes
from memory_service.stores.interactions import PostgresInteractions
from memory_service.stores.outbox import Change, Worker
from memory_service.stores.recent import RedisRecent
from memory_service.stores.registry import IndexRegistry
from memory_service.stores.sources import PostgresSources
from memory_service.stores.texts import PostgresTexts
from memory_service.stores.tokens import PostgresTokens
from memory_service.stores.walls import CALLERS, caller_settings, install_callers
from memory_service.stores.words import PostgresWords, WordRewriter
from meshkit.auth.authenticator import build_authenticator
from meshkit.background import running
from meshkit.config import ConfigError
from meshkit.errors import MeshError
from meshkit.ids import new_id
from meshkit.rpc.server import MeshServer
from meshkit.rpc.service_config import load_service_config
from meshkit.sql.idempotency import purge
from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import Pool, open_pool, ping_of
from meshkit.telemetry.setup import Telemetry

__all__ = ["build"]

_PACKAGE = "agentmesh.memory.v1"
_CACHE_SECONDS = 0.25  # a cache that takes longer is none; Postgres answers in milliseconds
_PURGE_SECONDS = 60.0
_log = structlog.get_logger(__name__)


async def build(settings: Config, telemetry: Telemetry, *, wrap_vectors: Wrap = lambda vectors: vectors) -> MeshServer:
    """Return the memory service, ready to listen. What it opened is closed with the server.

    `wrap_vectors` lets a test stand between the service and its vector indexes. Raises ConfigError.
    """
    server = MeshServer(
        settings,
        build_authenticator(settings, service="memory"),
        service_configs=[load_service_config("memory")],
        telemetry=telemetry,
    )
    opened = server.resources

    # Stores. Workers serve every tenant; what callers ask is asked behind the wall of their own tenant and user. One
    # context needs five connections at once, for some milliseconds each.
    database = settings.database_url.get_secret_value()
    workers_pool = await opened.enter_async_context(open_pool(database, "memory", min_size=2, max_size=12))
    await install_callers(workers_pool)
    await migrate(workers_pool, "memory", read_migrations("memory_service.stores.migrations"))
    callers_pool = await opened.enter_async_context(
        open_pool(database, "memory", min_size=2, max_size=12, role=CALLERS, settings=caller_settings)
    )
    # A vector index that stands still keeps these waiting, and not those that all the rest is read with.
    searches_pool = await opened.enter_async_context(
        open_pool(database, "memory", max_size=4, role=CALLERS, settings=caller_settings)
    )
    redis = Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=_CACHE_SECONDS,
        socket_connect_timeout=_CACHE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    opened.push_async_callback(redis.aclose)
    interactions, facts = PostgresInteractions(callers_pool), PostgresFacts(callers_pool)
    passages = PostgresDocuments(callers_pool)
    recent = RedisRecent(redis, interactions)

    # Index
    offline, embedder = await _models(settings)
    models = [model for model in (embedder, offline) if model]
    for model in models:
        opened.push_async_callback(model.close)
    engines = ConfiguredEngines(settings, searches_pool, workers_pool, *models, opened=opened, wrap=wrap_vectors)
    await engines.prepare()
    indexes = PostgresIndexes(IndexRegistry(workers_pool), engines)
    await indexes.want()
    hybrid = HybridSearch(
        PostgresWords(callers_pool),
        indexes,
        PostgresTokens(callers_pool),
        weights=_weights(settings),
        reader=offline,
        warn=_warn,
    )
    search = _reranked(settings, hybrid, PostgresTexts(interactions, facts, passages), opened)

    # Workers
    sources = PostgresSources(workers_pool)
    words = WordRewriter(workers_pool, sources)
    reader = TokenIndexer(sources, offline, PostgresTokens(workers_pool)) if offline else None

    async def index(changes: Collection[Change]) -> Collection[Source]:
        changed = [change.source for change in changes]
        (target,) = {change.target for change in changes}
        if (found := indexes.index(target)) is None:
            return []
        done = await Indexer(sources, found).index(changed)
        if reader is not None and indexes.leads(target):  # tokens are of one model, whichever index is being built
            await reader.index(changed)
        return done

    async def rewrite(changes: Collection[Change]) -> Collection[Source]:
        return await words.rewrite([change.source for change in changes])

    async def forget(changes: Collection[Change]) -> Collection[Source]:
        for owner, session in {(change.source.owner, change.session) for change in changes}:
            await recent.forget(owner, session)
        return [change.source for change in changes]

    def wake() -> None:
        for worker in workers:
            worker.wake()

    workers = (
        Worker(workers_pool, indexes.target_in_use, index),
        Worker(workers_pool, indexes.target_building, index),
        Worker(workers_pool, "recent", forget),
        Worker(workers_pool, "words", rewrite),
        add_extraction(server, settings, callers=callers_pool, workers=workers_pool, wake=wake, clock=_now),
    )

    retention = add_privacy(server, indexes, recent, callers=callers_pool, workers=workers_pool, wake=wake, clock=_now)
    await opened.enter_async_context(
        running(
            *(worker.keep_working() for worker in workers),
            indexes.keep_building(),
            retention.keep_deleting(),
            _keep_tidy(workers_pool),
        )
    )

    # Verbs and services
    server.add(
        memory_service_pb2_grpc.add_MemoryServiceServicer_to_server,
        FactServicer(Facts(facts, interactions, search, wake=wake, new_id=new_id, clock=_now)),
        f"{_PACKAGE}.MemoryService",
    )
    server.add(
        interaction_service_pb2_grpc.add_InteractionServiceServicer_to_server,
        InteractionServicer(Interactions(interactions, search, wake=wake, new_id=new_id, clock=_now)),
        f"{_PACKAGE}.InteractionService",
    )
    server.add(
        context_service_pb2_grpc.add_ContextServiceServicer_to_server,
        ContextServicer(Contexts(interactions, facts, passages, recent, search, clock=_now)),
        f"{_PACKAGE}.ContextService",
    )
    documents = Documents(passages, search, FileReader(), wake=wake, new_id=new_id, clock=_now)
    server.add(
        document_service_pb2_grpc.add_DocumentServiceServicer_to_server,
        DocumentServicer(documents),
        f"{_PACKAGE}.DocumentService",
    )
    server.watch("postgres", ping_of(workers_pool))
    server.watch("redis", redis.ping, critical=False)
    server.watch("vectors", indexes.ping, critical=False)
    return server


async def _models(settings: Config) -> tuple[OfflineModel | None, Embedder]:
    try:
        offline = await load_offline(settings.cache_dir)
        embedder = await build_embedder(
            offline, url=settings.embeddings_url, model=settings.embeddings_model, key=settings.embeddings_key
        )
    except ModelFilesError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"MESH_CACHE_DIR: cannot use {settings.cache_dir}: {error.strerror}") from error
    return offline, embedder


def _reranked(settings: Config, search: Search, texts: Texts, opened: AsyncExitStack) -> Search:
    if not settings.reranker_url or not settings.reranker_model:
        return search
    reranker = HttpReranker(settings.reranker_url, settings.reranker_model, settings.reranker_key)
    opened.push_async_callback(reranker.close)
    return RerankedSearch(search, texts, reranker, warn=_warn)


def _weights(settings: Config) -> Weights:
    try:
        return load_weights(settings.ranking_file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"MESH_RANKING_FILE: {error}") from error


async def _keep_tidy(pool: Pool) -> None:
    """Delete the answers of requests that can no longer be repeated."""
    while True:
        try:
            while await purge(pool) > 0:
                pass
        except MeshError as error:
            _log.info("purge_postponed", reason=error.reason)
        await asyncio.sleep(_PURGE_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)


def _warn(action: str, error: BaseException) -> None:
    _log.warning(action, error=type(error).__name__)
