"""The outer side of the domain's ports: the frameworks, the model gateway and the tools."""
