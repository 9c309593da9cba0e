"""What the agent service means by a task, an event, a tool, a runtime: no gRPC, no HTTP, no framework."""
