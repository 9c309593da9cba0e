"""The peers and the framework that the orchestrator works with, one file each."""
