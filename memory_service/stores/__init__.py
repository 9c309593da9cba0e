"""Where memory lies: Postgres holds the truth; Redis and the vector index hold what can be made again from it."""
