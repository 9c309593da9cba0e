"""Runs programs of models where they can harm nothing: `box` starts it, the other modules are what runs inside."""
