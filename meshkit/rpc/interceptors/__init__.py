"""What happens around every call, one layer a file; `chain` runs them, `meshkit.rpc.server` gives their order."""
