"""What callers may do with agents. The built-in ones stand beside the tenant's own and cannot be changed."""

from collections.abc import Sequence
from dataclasses import replace

from meshkit.context import CallContext
from meshkit.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from meshkit.ids import IdFactory
from meshkit.paging import Page, PageQuery
from orchestrator.domain.builtin_agents import BUILT_IN_AGENTS
from orchestrator.domain.model import Agent
from orchestrator.domain.ports import Agents, Clock, RuntimeStatus
from orchestrator.domain.specs import AgentSpec
from orchestrator.domain.storage import AgentStore, FindAgent, RequestKey

__all__ = ["Catalog", "known_agent"]


class Catalog:
    """The verbs on agents and runtimes."""

    def __init__(self, store: AgentStore, agents: Agents, *, new_id: IdFactory, clock: Clock) -> None:
        self._store, self._agents, self._new_id, self._clock = store, agents, new_id, clock

    async def create(self, caller: CallContext, key: RequestKey, agent: Agent) -> Agent:
        """Add an agent.

        Raises AlreadyExists, InvalidArgument for an unknown runtime, tool, team or agent, FailedPrecondition.
        """
        if agent.name in BUILT_IN_AGENTS:
            raise AlreadyExists(f"{agent.name} is a built-in agent", metadata={"agent": agent.name})
        if before := await self._store.created(key):
            return before  # its runtime need not answer again
        await self._check(caller.tenant, agent.spec)
        now = self._clock()
        made = replace(agent, built_in=False, create_time=now, update_time=now, etag=self._new_id("etag"))
        return await self._store.create(key, caller.tenant, made)

    async def get(self, caller: CallContext, name: str) -> Agent:
        """Return the agent. Raises NotFound."""
        return await known_agent(name, lambda own: self._store.get(caller.tenant, own))

    async def list(self, caller: CallContext, size: int, token: str) -> Page[Agent]:
        """Return a page of agents by name, built-in and own ones together."""
        pages = PageQuery("ListAgents", caller.tenant)
        cursor = pages.cursor(token, str)
        after = str(cursor[0]) if cursor else ""
        own = await self._store.list(caller.tenant, after, size + 1)
        built_in = [agent for name, agent in BUILT_IN_AGENTS.items() if name > after]
        rows = sorted([*own, *built_in], key=lambda agent: agent.name)[: size + 1]
        return pages.page(rows, size, lambda agent: (agent.name,))

    async def update(self, caller: CallContext, agent: Agent) -> Agent:
        """Replace an agent that was read with its etag. Raises NotFound, Aborted, FailedPrecondition, as `create`."""
        _refuse_built_in(agent.name)
        await self._check(caller.tenant, agent.spec)
        changed = replace(agent, built_in=False, update_time=self._clock(), etag=self._new_id("etag"))
        return await self._store.update(caller.tenant, changed, agent.etag)

    async def delete(self, caller: CallContext, name: str) -> None:
        """Delete an agent; its runs stay. Raises NotFound, FailedPrecondition."""
        _refuse_built_in(name)
        await self._store.delete(caller.tenant, name)

    async def runtimes(self) -> Sequence[RuntimeStatus]:
        """Return the configured runtimes and how they are."""
        return await self._agents.statuses()

    async def _check(self, tenant: str, spec: AgentSpec) -> None:
        status = await self._agents.status(spec.runtime)
        if status is None:
            raise InvalidArgument(f"this mesh has no runtime {spec.runtime}", field="agent.spec.runtime")
        if status.tools is None:
            raise FailedPrecondition(
                f"the runtime {spec.runtime} does not answer, so the agent cannot be checked",
                reason="RUNTIME_UNAVAILABLE",
            )
        unknown = sorted(spec.all_tools - status.tools)
        if unknown:
            raise InvalidArgument(
                f"the runtime {spec.runtime} has no tool {', '.join(unknown)}", field="agent.spec.tools"
            )
        if spec.team is not None and spec.team.kind not in status.team_kinds:
            known = ", ".join(sorted(status.team_kinds)) or "no teams"
            raise InvalidArgument(f"the runtime {spec.runtime} runs {known}", field="agent.spec.team.kind")
        for place, peer in enumerate(spec.agents):
            if peer not in BUILT_IN_AGENTS and await self._store.get(tenant, peer) is None:
                raise InvalidArgument(f"there is no agent {peer}", field=f"agent.spec.agents[{place}]")


async def known_agent(name: str, find: FindAgent) -> Agent:
    """Return the built-in agent of the name, else the tenant's own. Raises NotFound."""
    agent = BUILT_IN_AGENTS.get(name) or await find(name)
    if agent is None:
        raise NotFound("no such agent")
    return agent


def _refuse_built_in(name: str) -> None:
    if name in BUILT_IN_AGENTS:
        raise FailedPrecondition(f"{name} is built in and cannot be changed")
