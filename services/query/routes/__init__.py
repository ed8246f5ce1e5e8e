"""Routes of the query service, a file a subject."""
