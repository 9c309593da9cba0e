"""Owns runs: gives tasks to agents, keeps what happens in order, and tells it to whoever follows."""
