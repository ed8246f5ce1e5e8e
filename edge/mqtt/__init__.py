"""MQTT 3.1.1 and 5 as bytes: packets, frames and topics, for servers and devices alike; no I/O."""
