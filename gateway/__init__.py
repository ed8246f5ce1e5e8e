"""Devices in, commands out: one protocol-free path, and a thin listener for each protocol."""
