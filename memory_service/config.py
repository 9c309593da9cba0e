"""What the memory service is told by its environment, and what its libraries are."""

import os
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from meshkit.config import ServiceSettings, load

__all__ = ["Config", "load_config"]

# numpy's OpenBLAS reads it while it is imported, which is after this module. Its threads wait by spinning: the products
# of one search are milliseconds of work, and burnt 33 ms of a core that Postgres could use.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class Config(ServiceSettings):
    """The memory service's settings; those of every service come with the base."""

    listen: str = "127.0.0.1:50052"
    """Where it listens."""
    database_url: SecretStr = Field(validation_alias="DATABASE_URL")
    """Postgres with pgvector: `postgresql://user:password@host:port/database`."""
    redis_url: SecretStr = Field(validation_alias="REDIS_URL")
    """Redis or Valkey: `redis://:password@host:port/0`. While it is away, recent turns are read from Postgres."""
    qdrant_url: str | None = Field(default=None, pattern="^https?://", validation_alias="QDRANT_URL")
    """Qdrant, for vectors; none: they are in Postgres."""
    qdrant_api_key: SecretStr | None = Field(default=None, validation_alias="QDRANT_API_KEY")
    """Qdrant's API key, if it asks for one."""
    qdrant_prefix: str = Field(default="agentmesh", pattern="^[a-z0-9-]{1,40}$")
    """How the names of this mesh's collections begin; meshes that share a Qdrant need different ones."""
    embeddings_url: str | None = Field(default=None, pattern="^https?://")
    """The base of an OpenAI-compatible API for embeddings; none: the offline model."""
    embeddings_model: str | None = None
    """Its model."""
    embeddings_key: SecretStr | None = None
    """Its API key, if it asks for one."""
    extraction_model_url: str | None = Field(default=None, pattern="^https?://")
    """The base of an OpenAI-compatible API that looks for facts in what users say, for tenants that want it; none:
    built-in rules for English, which are no language model."""
    extraction_model: str | None = None
    """Its model."""
    extraction_model_key: SecretStr | None = None
    """Its API key, if it asks for one."""
    ranking_file: Path | None = None
    """Weights of the search for turns learned elsewhere (`python -m bench.locomo --learn`); none: those that come with
    the service."""
    reranker_url: str | None = Field(default=None, pattern="^https?://")
    """The base of an API with `POST /rerank` (Cohere, Jina, vLLM and others), which puts what was found in order; none:
    the order of the search stands."""
    reranker_model: str | None = None
    """Its model."""
    reranker_key: SecretStr | None = None
    """Its API key, if it asks for one."""
    cache_dir: Path = Path(".mesh/cache")
    """Where the offline model's graph is kept; it can always be made again."""

    @model_validator(mode="after")
    def _an_endpoint_has_a_model(self) -> Self:
        if self.embeddings_url and not self.embeddings_model:
            raise ValueError("MESH_EMBEDDINGS_MODEL must name a model of MESH_EMBEDDINGS_URL")
        if self.extraction_model_url and not self.extraction_model:
            raise ValueError("MESH_EXTRACTION_MODEL must name a model of MESH_EXTRACTION_MODEL_URL")
        if self.reranker_url and not self.reranker_model:
            raise ValueError("MESH_RERANKER_MODEL must name a model of MESH_RERANKER_URL")
        return self


def load_config() -> Config:
    """Read the configuration. Raises ConfigError."""
    return load(Config)
