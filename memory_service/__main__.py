"""`python -m memory_service`."""

from memory_service.config import MemorySettings
from memory_service.server import build
from meshkit.config import load
from meshkit.rpc.lifecycle import run

raise SystemExit(run("memory", lambda: load(MemorySettings), build))
