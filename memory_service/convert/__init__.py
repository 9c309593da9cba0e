"""Between the contract's messages and the domain's values: one file per service. Pure; defaults are filled in here."""
