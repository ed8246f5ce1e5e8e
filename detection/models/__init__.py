"""Trained models: remaining life and failure."""
