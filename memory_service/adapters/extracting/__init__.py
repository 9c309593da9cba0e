"""What looks for facts in a turn, behind the port `Extractor`: rules, or a model. The gate judges both alike."""
