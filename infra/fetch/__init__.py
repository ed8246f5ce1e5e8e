"""Jars and servers: locked, downloaded with resume, cached outside the checkout."""
