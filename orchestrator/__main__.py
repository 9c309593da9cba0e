"""`python -m orchestrator`: owns runs, sessions and the catalog of agents."""

from meshkit.rpc.lifecycle import run
from orchestrator.config import load_config
from orchestrator.server import build

if __name__ == "__main__":
    raise SystemExit(run("orchestrator", load_config, build))
