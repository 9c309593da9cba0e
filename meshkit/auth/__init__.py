"""Credentials: how they are proven (tokens, API keys) and how the mesh makes its own."""
