"""The lake: append-only Delta tables, declared once, and the one reader of them. Knows nothing of what stages do with rows."""
