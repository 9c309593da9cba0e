"""Every method of every contract is implemented: a servicer that inherits one would answer UNIMPLEMENTED."""

import pytest
from agentmesh.agent.v1 import agent_service_pb2
from agentmesh.memory.v1 import (
    context_service_pb2,
    document_service_pb2,
    extraction_service_pb2,
    interaction_service_pb2,
    memory_service_pb2,
    privacy_service_pb2,
    settings_service_pb2,
)
from agentmesh.orchestrator.v1 import (
    agent_catalog_service_pb2,
    file_service_pb2,
    ledger_service_pb2,
    run_service_pb2,
    session_service_pb2,
)
from google.protobuf.descriptor import ServiceDescriptor

from agent_service.servicers.agent import AgentServicer
from memory_service.servicers.context import ContextServicer
from memory_service.servicers.documents import DocumentServicer
from memory_service.servicers.extraction import ExtractionServicer
from memory_service.servicers.facts import FactServicer
from memory_service.servicers.interactions import InteractionServicer
from memory_service.servicers.privacy import PrivacyServicer
from memory_service.servicers.settings import SettingsServicer
from orchestrator.servicers.catalog import CatalogServicer
from orchestrator.servicers.files import FileServicer
from orchestrator.servicers.ledger import LedgerServicer
from orchestrator.servicers.runs import RunServicer
from orchestrator.servicers.sessions import SessionServicer
from tests.contract.test_methods import services

SERVICERS = {
    agent_service_pb2.DESCRIPTOR.services_by_name["AgentService"]: AgentServicer,
    memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"]: FactServicer,
    interaction_service_pb2.DESCRIPTOR.services_by_name["InteractionService"]: InteractionServicer,
    context_service_pb2.DESCRIPTOR.services_by_name["ContextService"]: ContextServicer,
    document_service_pb2.DESCRIPTOR.services_by_name["DocumentService"]: DocumentServicer,
    extraction_service_pb2.DESCRIPTOR.services_by_name["ExtractionService"]: ExtractionServicer,
    settings_service_pb2.DESCRIPTOR.services_by_name["MemorySettingsService"]: SettingsServicer,
    privacy_service_pb2.DESCRIPTOR.services_by_name["PrivacyService"]: PrivacyServicer,
    run_service_pb2.DESCRIPTOR.services_by_name["RunService"]: RunServicer,
    ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"]: LedgerServicer,
    session_service_pb2.DESCRIPTOR.services_by_name["SessionService"]: SessionServicer,
    file_service_pb2.DESCRIPTOR.services_by_name["FileService"]: FileServicer,
    agent_catalog_service_pb2.DESCRIPTOR.services_by_name["AgentCatalogService"]: CatalogServicer,
}


def test_every_service_has_a_servicer() -> None:
    assert set(services()) == set(SERVICERS)


@pytest.mark.parametrize(("service", "servicer"), SERVICERS.items(), ids=lambda each: getattr(each, "name", ""))
def test_every_method_is_implemented(service: ServiceDescriptor, servicer: type) -> None:
    own = {name for kind in servicer.__mro__ if not kind.__module__.startswith("agentmesh.") for name in vars(kind)}
    inherited = [method.name for method in service.methods if method.name not in own]
    assert service.methods
    assert not inherited
