"""The CoAP listener."""
