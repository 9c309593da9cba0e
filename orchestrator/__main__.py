"""`python -m orchestrator`."""

from meshkit.config import load
from meshkit.rpc.lifecycle import run
from orchestrator.config import OrchestratorSettings
from orchestrator.server import build

raise SystemExit(run("orchestrator", lambda: load(OrchestratorSettings), build))
