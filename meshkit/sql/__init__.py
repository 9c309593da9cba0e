"""Postgres as the mesh uses it: pool, migrations, named queries, idempotent requests. Only stores import this."""
