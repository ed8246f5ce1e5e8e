"""Routes, one file a thing."""
