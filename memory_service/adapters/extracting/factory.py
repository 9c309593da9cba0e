"""What this process looks for facts with: a model if one is configured, else the rules."""

from pydantic import SecretStr

from memory_service.adapters.extracting.model import ModelExtractor
from memory_service.adapters.extracting.rules import RuleExtractor
from memory_service.domain.extraction import Extractor

__all__ = ["build_extractor"]


def build_extractor(*, url: str | None, model: str | None, key: SecretStr | None) -> Extractor:
    """Return the extractor; close it at the end. A `url` needs a `model`, else ValueError is raised."""
    if url is None:
        return RuleExtractor()
    if model is None:
        raise ValueError("an extraction endpoint needs the name of its model")
    return ModelExtractor(url, model, key)
