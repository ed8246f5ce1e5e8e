"""Which message is the first of its key: pure decisions over an index kept in memory."""
