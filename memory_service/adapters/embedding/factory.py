"""Which embedding model this process uses: an endpoint if one is configured, else the offline model, else hashing.

Owns the choice; each model is a file of its own.
"""

import asyncio
import logging
from pathlib import Path

from pydantic import SecretStr

from memory_service.adapters.embedding import hashing, minilm
from memory_service.adapters.embedding.batching import BatchingEmbedder
from memory_service.adapters.embedding.forward import DIMENSION
from memory_service.adapters.embedding.openai import OpenAIEmbedder
from memory_service.adapters.embedding.weights import find_model
from memory_service.domain.embedding import Embedder

__all__ = ["build_embedder"]

_log = logging.getLogger(__name__)


async def build_embedder(
    *, cache_dir: Path, url: str | None = None, model: str | None = None, key: SecretStr | None = None
) -> Embedder:
    """Return the embedder of this process, ready for use; close it at the end.

    With `url` (the base of an OpenAI-compatible API), its `model`, which must be named. Otherwise the offline MiniLM,
    whose graph is built in `cache_dir` once; otherwise, where its weights are not installed, `builtin/hash-384`.
    Raises ValueError for a `url` without `model`, ModelFilesError for weights that are not the genuine ones, OSError
    when `cache_dir` cannot be used, and the errors of `Embedder.embed` when the endpoint does not do its work.
    """
    if url is not None:
        if model is None:
            raise ValueError("an embedding endpoint needs the name of its model")
        return await OpenAIEmbedder.connect(url, model, key)
    files = find_model()
    if files is None:
        _log.warning("embedding_weights_missing: only shared words are found, not shared meaning (%s)", hashing.MODEL)
        return BatchingEmbedder(hashing.MODEL, hashing.DIMENSION, hashing.encode_hashed)
    offline = await asyncio.to_thread(minilm.load_minilm, files, cache_dir)
    return BatchingEmbedder(minilm.MODEL, DIMENSION, offline.encode)
