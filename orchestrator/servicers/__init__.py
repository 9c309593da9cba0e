"""The gRPC services, one file each: check, convert in, one verb, convert out, return."""
