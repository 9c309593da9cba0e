"""Embedding models behind the port `memory_service.domain.embedding`; `factory.build_embedder` chooses one."""
