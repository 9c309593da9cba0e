"""Which embedding model this process uses: an endpoint if one is configured, else the offline model, else hashing.

Owns the choice; each model is a file of its own.
"""

import asyncio
import logging
from pathlib import Path

from pydantic import SecretStr

from memory_service.adapters.embedding import hashing, minilm
from memory_service.adapters.embedding.batching import BatchingEmbedder
from memory_service.adapters.embedding.offline import OfflineModel
from memory_service.adapters.embedding.openai import OpenAIEmbedder
from memory_service.adapters.embedding.weights import find_model
from memory_service.domain.embedding import Embedder

__all__ = ["build_embedder", "load_offline"]

_log = logging.getLogger(__name__)


async def load_offline(cache_dir: Path) -> OfflineModel | None:
    """Return the offline model, whose graph is built in `cache_dir` once; None where its weights are not installed.

    Close it at the end. Raises ModelFilesError for weights that are not the genuine ones, OSError when `cache_dir`
    cannot be used.
    """
    files = find_model()
    if files is None:
        _log.warning("embedding_weights_missing: only shared words are found, not shared meaning (%s)", hashing.MODEL)
        return None
    return OfflineModel(await asyncio.to_thread(minilm.load_minilm, files, cache_dir))


async def build_embedder(
    offline: OfflineModel | None, *, url: str | None = None, model: str | None = None, key: SecretStr | None = None
) -> Embedder:
    """Return the embedder of this process, ready for use; close it at the end, unless it is `offline` itself.

    With `url` (the base of an OpenAI-compatible API), its `model`, which must be named. Otherwise the offline model;
    otherwise, where there is none, `builtin/hash-384`.
    Raises ValueError for a `url` without `model`, and the errors of `Embedder.embed` when the endpoint does not do its
    work.
    """
    if url is not None:
        if model is None:
            raise ValueError("an embedding endpoint needs the name of its model")
        return await OpenAIEmbedder.connect(url, model, key)
    return offline or BatchingEmbedder(hashing.MODEL, hashing.DIMENSION, hashing.encode_hashed)
