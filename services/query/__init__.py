"""Answers about series: planned over raw readings and windows, thinned, cached, by tenant."""
