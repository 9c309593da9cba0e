"""One file per gRPC service; a handler checks, converts, calls the domain and converts back."""
