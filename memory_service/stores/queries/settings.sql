-- What tenants want of their memory. Every query names the tenant: $1.

-- get_settings --
SELECT * FROM memory_settings WHERE tenant = $1

-- lock_settings --
-- Also a tenant that has none yet: two updates of one tenant are made one after the other.
SELECT pg_advisory_xact_lock(hashtextextended('agentmesh:memory:settings' || E'\n' || $1, 0))

-- put_settings --
INSERT INTO memory_settings
  (tenant, extraction, interaction_retention_days, fact_retention_days, document_retention_days, etag)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant) DO UPDATE SET
  extraction = excluded.extraction, interaction_retention_days = excluded.interaction_retention_days,
  fact_retention_days = excluded.fact_retention_days, document_retention_days = excluded.document_retention_days,
  etag = excluded.etag
