"""`python -m agent_service`: runs the agents of one framework."""

from agent_service.config import load_config
from agent_service.server import build
from meshkit.rpc.lifecycle import run

if __name__ == "__main__":
    raise SystemExit(run("agent", load_config, build))
