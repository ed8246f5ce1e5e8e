"""Detectors: readings in, scores out; the same code over files and in the stream."""
