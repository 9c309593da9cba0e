"""The shared kit of the mesh: what every service needs and none should write twice.

It owns configuration, errors, call context, ids, paging, telemetry, authentication, the gRPC server and channel, and
SQL plumbing. It knows no service: nothing here may import `orchestrator`, `memory_service` or `agent_service`.
"""
