"""One file per outside thing: models that turn texts into vectors."""
