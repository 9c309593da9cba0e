"""How facts are told on the command line."""

from agentmesh.memory.v1.fact_pb2 import FACT_ORIGIN_CLIENT, FACT_ORIGIN_TOOL, Fact

from meshctl.commands.facts import origin_of


def test_who_said_a_fact_is_told_with_its_source_and_that_somebody_says_otherwise() -> None:
    assert origin_of(Fact(origin=FACT_ORIGIN_CLIENT)) == "client"
    assert origin_of(Fact(origin=FACT_ORIGIN_CLIENT, contested=True)) == "client, contested"
    assert origin_of(Fact(origin=FACT_ORIGIN_TOOL, source="tool:web_fetch")) == "tool (tool:web_fetch)"
