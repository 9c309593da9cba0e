"""A reranker behind HTTP: `POST {url}/rerank`, as Cohere, Jina, vLLM, Infinity and others have it.

Owns the request, its time limit, and that nothing the endpoint answers is believed unchecked.
"""

from collections.abc import Sequence
from typing import Any

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError

from meshkit.errors import Unavailable

__all__ = ["HttpReranker"]

_SECONDS = 1.0
_TEXT_CHARACTERS = 4000
_ANSWER_BYTES = 1024 * 1024


class _Result(BaseModel):
    index: int = Field(ge=0)
    relevance_score: float = Field(allow_inf_nan=False)


class _Answer(BaseModel):
    results: list[_Result]


class HttpReranker:
    """`retrieval.reranking.Reranker`."""

    def __init__(self, url: str, model: str, key: SecretStr | None) -> None:
        """`url` is the base of the API, e.g. `https://api.example.com/v1`."""
        headers = {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._model = model
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=_SECONDS, trust_env=False)

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Ask the endpoint. Raises Unavailable."""
        body: dict[str, Any] = {
            "model": self._model,
            "query": query,
            "documents": [text[:_TEXT_CHARACTERS] for text in texts],
            "top_n": len(texts),
            "return_documents": False,
        }
        try:
            answer = await self._http.post("rerank", json=body)
            answer.raise_for_status()
            if len(answer.content) > _ANSWER_BYTES:
                raise Unavailable("the reranker's answer is too large", reason="MODEL_FAILED")
            results = _Answer.model_validate_json(answer.content).results
        except (httpx.HTTPError, ValidationError) as error:
            raise Unavailable("the reranker does not answer as it should", reason="MODEL_FAILED") from error
        scores = {result.index: result.relevance_score for result in results}
        if scores.keys() != set(range(len(texts))):
            raise Unavailable("the reranker did not judge every text once", reason="MODEL_FAILED")
        return [scores[index] for index in range(len(texts))]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
