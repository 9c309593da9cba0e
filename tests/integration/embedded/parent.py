"""A process that starts the embedded stores, says where they are, and waits to be killed. Run by the tests."""

import asyncio
import json
import sys
from pathlib import Path

from meshctl.embedded.postgres import start_postgres
from meshctl.embedded.valkey import start_valkey


async def main(state: Path) -> None:
    postgres = await start_postgres(state)
    valkey = await start_valkey(state)
    facts = {
        "postgres": postgres.url,
        "valkey": valkey.url,
        "pids": [postgres.child.pid, valkey.child.pid],
        "data": str(postgres.data),
    }
    print(json.dumps(facts), flush=True)
    await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1])))
