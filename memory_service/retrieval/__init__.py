"""How what fits a query is found and ranked, once the rows are here: pure functions over arrays. It reads no store."""
