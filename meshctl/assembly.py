"""What a mesh on one machine is made of, and what each part is told of the others.

    postgres · valkey · model        the stores and the offline model, unless the environment names others
        memory · agent
            orchestrator
                envoy                    the one door for clients

Owns the environment of every service and the keys that they share. Each service gets its own few variables and none of
the rest: nothing secret is inherited by accident.
"""

import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from meshctl.edge import EdgeSettings, write_edge
from meshctl.embedded.envoy import start_envoy, validate_envoy
from meshctl.embedded.kept import kept_port
from meshctl.embedded.offline import start_offline_model
from meshctl.embedded.postgres import start_postgres
from meshctl.embedded.process import spawn, until_ready
from meshctl.embedded.valkey import start_valkey
from meshctl.environments import ROOT, ensure
from meshctl.health import serving
from meshctl.parts import Part, Started
from meshctl.state import State
from meshkit.auth.issuer import create_keys

__all__ = ["Assembly"]

_PASSED_ON = re.compile(
    "PATH|LANG|LC_ALL|TZ|HOME|TMPDIR|SSL_CERT_FILE|MESH_LOG_LEVEL|MESH_OTLP_ENDPOINT|MESH_LIMIT_.*|MESH_MAX_RUNS.*"
    "|MESH_EVENT_RETENTION_DAYS|MESH_MODEL_PRICES|MESH_WEB_ALLOW|MESH_WIKIPEDIA_URL|MESH_ARXIV_URL|MESH_FAILPOINTS.*"
)
"""What a service gets of the caller's environment, beside what the parts need to find each other."""


class Assembly:
    """The parts of one mesh.

    `environ` is what the caller's environment chooses: stores, model, logs. Each of the `runtimes` gets a process in an
    environment of its own.
    """

    def __init__(
        self,
        state: State,
        edge: tuple[str, int],
        environ: Mapping[str, str],
        runtimes: Sequence[str] = ("langchain",),
    ) -> None:
        self._state, self._edge, self._environ, self._runtimes = state, edge, environ, runtimes
        self._users = create_keys(state.user_keys)
        self._internal = create_keys(state.internal_keys)
        self._addresses: dict[str, str] = {}
        self._shared: dict[str, str] = {}
        self._model: dict[str, str] = {}

    @property
    def offline_model(self) -> bool:
        """Whether agents are served by the built-in rules, which are no language model."""
        return not self._environ.get("MESH_MODEL_URL")

    async def stages(self) -> AsyncIterator[Sequence[Part]]:
        """Yield the parts that can start together, stage after stage; a stage is asked for when the last one runs."""
        given = self._environ
        self._shared = {name: given[name] for name in ("DATABASE_URL", "REDIS_URL", "QDRANT_URL") if given.get(name)}
        stores = []
        if "DATABASE_URL" not in self._shared:
            stores.append(Part("postgres", self._start_postgres))
        if "REDIS_URL" not in self._shared:
            stores.append(Part("valkey", self._start_valkey))
        if self.offline_model:
            stores.append(Part("model", self._start_model))
        else:
            self._model = {name: value for name, value in given.items() if name.startswith("MESH_MODEL")}
        yield stores
        services = [Part("memory", self._service("memory", "memory_service", self._memory()))]
        services += [Part(f"agent-{name}", self._agent(name)) for name in self._runtimes]
        yield services
        # After the agents it starts, and before them it stops: runs at work are then left for the next start.
        yield [Part("orchestrator", self._service("orchestrator", "orchestrator", self._orchestrator()))]
        yield [Part("envoy", self._start_envoy)]

    async def _start_postgres(self) -> Started:
        server = await start_postgres(self._state.root)
        self._shared["DATABASE_URL"] = server.url
        return Started(server.child, f"127.0.0.1:{server.port}")

    async def _start_valkey(self) -> Started:
        server = await start_valkey(self._state.root)
        self._shared["REDIS_URL"] = server.url
        return Started(server.child, f"127.0.0.1:{server.port}")

    async def _start_model(self) -> Started:
        server = await start_offline_model(self._state.root)
        self._model = {"MESH_MODEL_URL": server.url, "MESH_MODEL": server.model, "MESH_MODEL_KEY": server.key}
        return Started(server.child, f"127.0.0.1:{server.port}")

    def _agent(self, runtime: str) -> Callable[[], Awaitable[Started]]:
        settings = {
            "MESH_RUNTIME": runtime,
            "MESH_MEMORY_ADDRESS": self._address("memory"),
            "MESH_ORCHESTRATOR_ADDRESS": self._address("orchestrator"),
            **self._model,
        }
        return self._service(f"agent-{runtime}", "agent_service", settings, python=ensure(runtime))

    def _memory(self) -> dict[str, str]:
        models = ("MESH_EMBEDDINGS", "MESH_EXTRACTION", "MESH_RANKING", "MESH_RERANKER")
        chosen = {name: value for name, value in self._environ.items() if name.startswith(models)}
        qdrant = {name: value for name, value in self._environ.items() if name.startswith("QDRANT_")}
        return {**self._shared, **qdrant, **chosen, "MESH_CACHE_DIR": str(self._state.cache)}

    def _orchestrator(self) -> dict[str, str]:
        return {
            **self._shared,
            "MESH_MEMORY_ADDRESS": self._address("memory"),
            "MESH_AGENTS": ";".join(f"{name}={self._address(f'agent-{name}')}" for name in self._runtimes),
            "MESH_AUTH_SIGNING_KEY_FILE": str(self._internal.private),
        }

    def _address(self, name: str) -> str:
        """Return where a service listens: the same for all who ask, also once it runs there."""
        if name not in self._addresses:
            self._addresses[name] = f"127.0.0.1:{kept_port(self._state.ports / name)}"
        return self._addresses[name]

    def _service(
        self, name: str, module: str, settings: Mapping[str, str], *, python: Path | None = None
    ) -> Callable[[], Awaitable[Started]]:
        """Return what starts a service and returns once it says SERVING."""
        address = self._address(name)
        environment = {key: value for key, value in self._environ.items() if _PASSED_ON.fullmatch(key)} | {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen' / 'python'}",
            "PYTHONUNBUFFERED": "1",
            "MESH_LISTEN": address,
            "MESH_AUTH_JWKS_FILE": str(self._users.public),
            "MESH_AUTH_INTERNAL_JWKS_FILE": str(self._internal.public),
            "MESH_AUTH_API_KEYS_FILE": str(self._state.api_keys),
            **settings,
        }

        async def start() -> Started:
            child = spawn(
                [python or ensure("mesh"), "-m", module],
                env=environment,
                cwd=self._state.root,
                log=self._state.logs / f"{name}.log",
                # Without the supervisor its stores are gone too: there is nothing that a drain could still do.
                death_signal=signal.SIGKILL,
                stop_signal=signal.SIGTERM,
            )
            await until_ready(child, name, lambda: serving(address), patience=90.0)
            return Started(child, address)

        return start

    async def _start_envoy(self) -> Started:
        host, port = self._edge
        settings = EdgeSettings(
            listen=f"{host}:{port}",
            orchestrator=[self._address("orchestrator")],
            memory=[self._address("memory")],
            jwks=self._users.public,
            origins=self._environ.get("MESH_ORIGINS", "").split(),
        )
        configuration = write_edge(settings, self._state.root)
        await validate_envoy(configuration, log=self._state.logs / "envoy-check.log")
        child = await start_envoy(configuration, log=self._state.logs / "envoy.log", listens_on=self._edge)
        # It listens before it knows who is healthy behind it.
        await until_ready(child, "Envoy", lambda: serving(f"{host}:{port}"))
        return Started(child, f"{host}:{port}")
