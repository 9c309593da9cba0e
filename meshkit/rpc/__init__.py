"""gRPC as the mesh uses it: server, channel, interceptors, status table and stream helpers; no service's messages."""
