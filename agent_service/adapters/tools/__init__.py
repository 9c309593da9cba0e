"""The tools that every agent may name, one file each."""
