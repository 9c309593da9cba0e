"""The memory service: what users said, what is known about them, and what of it an agent should be told."""
