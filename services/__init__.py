"""Processes that answer over HTTP, each a package of its own."""
