"""What tests of any service need: a real server on a free port, real tokens, a clock that stands still."""
