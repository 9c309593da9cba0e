"""The programs a mesh brings along: Postgres, Valkey, Envoy and the offline model, each a child of `mesh up`.

Owns starting, watching and stopping them, and where their files lie below the state directory. It installs no service,
makes no account, and keeps nothing running: every child ends with the process that started it, whatever ended that one.
"""
