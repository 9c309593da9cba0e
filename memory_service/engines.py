"""Opens vector indexes by their names: the engines and the models that this process has.

Owns which they are: the models of the configuration, the offline one and hashing, and whatever else the configured
endpoint serves. Nothing is asked of an engine or endpoint before it is used.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack

from memory_service.adapters.embedding import hashing
from memory_service.adapters.embedding.batching import BatchingEmbedder
from memory_service.adapters.embedding.openai import OpenAIEmbedder
from memory_service.config import Config
from memory_service.domain.embedding import Embedder
from memory_service.domain.indexes import Index, IndexName
from memory_service.domain.vectors import VectorStore
from memory_service.stores.vectors.pgvector import PgVectors, install_pgvector
from memory_service.stores.vectors.qdrant import QdrantVectors, connect_qdrant
from meshkit.config import ConfigError
from meshkit.sql.pool import Pool

__all__ = ["ConfiguredEngines", "Wrap"]

Wrap = Callable[[VectorStore], VectorStore]
"""Stands between the service and each vector index that it opens."""


class ConfiguredEngines:
    """`domain.indexes.Engines` of a configuration. What is opened is closed with `opened`."""

    def __init__(
        self, settings: Config, callers: Pool, owner: Pool, *models: Embedder, opened: AsyncExitStack, wrap: Wrap
    ) -> None:
        """The first of the models is the one that is wanted."""
        self._settings, self._opened, self._wrap = settings, opened, wrap
        self._callers, self._owner = callers, owner
        self._models = {(model.model, model.dimension): model for model in reversed(models)}
        self._qdrant = None
        if settings.qdrant_url is not None:
            key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
            self._qdrant = connect_qdrant(settings.qdrant_url, key)
            opened.push_async_callback(self._qdrant.close)
        self._engine = "qdrant" if self._qdrant else "pgvector"
        self._has_pgvector = False
        self.wanted = str(IndexName(self._engine, models[0].model, models[0].dimension))
        """The name of the index that the configuration asks for."""

    async def prepare(self) -> None:
        """Make sure that the database has pgvector, which only Qdrant makes dispensable. Raises ConfigError."""
        try:
            await install_pgvector(self._owner)
            self._has_pgvector = True
        except ConfigError:
            if self._qdrant is None:
                raise

    def index(self, name: str) -> Index | None:
        """See `Engines.index`."""
        vectors = self.vectors(name)
        embedder = self._embedder(IndexName.parse(name)) if vectors else None
        return Index(embedder, vectors) if vectors and embedder else None

    def vectors(self, name: str) -> VectorStore | None:
        """See `Engines.vectors`."""
        vectors = self._vectors(IndexName.parse(name))
        return self._wrap(vectors) if vectors else None

    def _vectors(self, name: IndexName) -> VectorStore | None:
        match name.engine:
            case "pgvector" if self._has_pgvector:
                return PgVectors(self._callers, self._owner, name.model, name.dimension)
            case "qdrant" if self._qdrant is not None:
                return QdrantVectors(self._qdrant, self._settings.qdrant_prefix, name.model, name.dimension)
            case _:
                return None

    def _embedder(self, name: IndexName) -> Embedder | None:
        model = self._models.get((name.model, name.dimension))
        if model is None and (name.model, name.dimension) == (hashing.MODEL, hashing.DIMENSION):
            model = BatchingEmbedder(hashing.MODEL, hashing.DIMENSION, hashing.encode_hashed)
        elif model is None and self._settings.embeddings_url:
            url, key = self._settings.embeddings_url, self._settings.embeddings_key
            model = OpenAIEmbedder.known(url, name.model, name.dimension, key)
        else:
            return model
        self._models[name.model, name.dimension] = model
        self._opened.push_async_callback(model.close)
        return model
