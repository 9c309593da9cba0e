"""The `mesh` command: sets the mesh up, runs it on one machine, and talks to a running one."""
