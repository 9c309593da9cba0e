"""Vector indexes: one file per engine, all behind `domain.vectors.VectorStore` and one contract suite."""
