"""Rerankers behind the port `memory_service.retrieval.reranking`."""
