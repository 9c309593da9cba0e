"""How tools read the web: only what is public, or what the operator allows; within bounds of size and time."""
