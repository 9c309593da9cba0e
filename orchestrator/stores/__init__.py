"""Where the orchestrator keeps its rows (Postgres) and how its processes wake each other (Redis)."""
