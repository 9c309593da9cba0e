"""The gRPC face: one file per service, handlers of five steps and no more."""
