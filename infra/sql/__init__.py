"""SQL over the lake: through Trino, and in light mode through an engine of its own."""
