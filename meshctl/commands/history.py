"""`mesh runs`: steps and fork: what a run has done, and to begin another as it began."""

import json as json_text
from typing import Annotated

import typer
from agentmesh.orchestrator.v1.run_pb2 import Run, RunState
from agentmesh.orchestrator.v1.step_pb2 import Step, StepResult, StepState, ToolOutcome

from meshclient import MeshClient
from meshctl.commands.arguments import JsonOption, RunArgument
from meshctl.commands.call import call
from meshctl.commands.watch import watch
from meshctl.console import out, plain, print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption

__all__ = ["fork", "steps"]


def steps(
    run: RunArgument,
    full: Annotated[bool, typer.Option("--full", help="With arguments and results.")] = False,
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List what a run has done, in order: the calls of its model and of its tools."""

    async def work(client: MeshClient) -> list[Step]:
        return [step async for step in client.control(run).steps(full=full)]

    done = call(state, work)
    if json:
        for step in done:
            print_message(step)
    elif full:
        for step in done:
            _print_step(step)
    else:
        rows = ((step.id, step.name, _state(step), step.agent, _used(step), _began(step)) for step in done)
        print_table(("step", "name", "state", "agent", "tokens", "began"), rows)


def fork(
    run: RunArgument,
    step: Annotated[str, typer.Option(help="The last step to keep, e.g. tool-2. Without it: none.")] = "",
    text: Annotated[str | None, typer.Option("--input", help="What the agent is asked instead.")] = None,
    result: Annotated[
        str | None,
        typer.Option(
            help="What STEP brought instead: a tool's answer, or the model's, as text or as a chat.completion."
        ),
    ] = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Follow the new run to its end.")] = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Begin a new run that does again what a run did, up to a step, and goes on from there."""
    if text is not None and result is not None:
        raise typer.BadParameter("change the input or a result, not both", param_hint="--result")
    if result is not None and not step:
        raise typer.BadParameter("say with --step whose result it is", param_hint="--result")
    edited = None if result is None else _result(step, result)

    async def work(client: MeshClient) -> Run:
        return await client.control(run).fork(step, text=text, result=edited)

    forked = call(state, work)
    out.print(forked.id)
    if watch_it and call(state, lambda client: watch(client, forked.id)) != RunState.RUN_STATE_SUCCEEDED:
        raise typer.Exit(1)


def _result(step: str, text: str) -> StepResult:
    """Return the text as what a step of this kind brings."""
    if not step.startswith("model-"):
        return StepResult(tool=ToolOutcome(content=text))
    try:
        completion = json_text.loads(text)
    except ValueError:
        completion = None
    if isinstance(completion, dict) and "choices" in completion:
        return StepResult(completion=text)
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    edited = {"id": "edited", "object": "chat.completion", "created": 0, "model": "edited", "choices": choices}
    return StepResult(completion=json_text.dumps(edited, ensure_ascii=False))


def _print_step(step: Step) -> None:
    """Print a step with all that it was asked and brought."""
    out.print(plain(f"{step.id} {step.name} {_state(step)}"), style="bold")
    if step.arguments:
        out.print(f"  asked: {plain(step.arguments)}")
    kind = step.result.WhichOneof("result")
    if kind == "tool":
        out.print(plain(f"  {'failed' if step.result.tool.is_error else 'brought'}: {step.result.tool.content}"))
    elif kind == "completion":
        out.print(plain(f"  brought: {step.result.completion}"))


def _state(step: Step) -> str:
    word = StepState.Name(step.state).removeprefix("STEP_STATE_")
    return f"{word} (cached)" if step.cached else word


def _used(step: Step) -> str:
    return str(step.usage.input_tokens + step.usage.output_tokens) if step.HasField("usage") else ""


def _began(step: Step) -> str:
    return step.create_time.ToDatetime().isoformat(" ", "seconds") if step.HasField("create_time") else ""
