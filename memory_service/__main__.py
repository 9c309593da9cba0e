"""`python -m memory_service`: remembers facts and conversations, and finds them again."""

from memory_service.config import load_config
from memory_service.server import build
from meshkit.rpc.lifecycle import run

if __name__ == "__main__":
    raise SystemExit(run("memory", load_config, build))
