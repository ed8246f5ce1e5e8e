"""Transforms: frames and plain values in, frames out; they never read, write or build a session."""
