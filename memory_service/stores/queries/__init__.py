"""The service's SQL, a file for each table and the statements about it."""
