"""The bridge: what somebody's MQTT broker hands over, acknowledged once it is durable."""
