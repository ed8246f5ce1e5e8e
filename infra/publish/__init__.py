"""Anybody's CSV or NDJSON as messages: read, guess, enrol, send, account for."""
