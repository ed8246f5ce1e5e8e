"""The alerts service: from Kafka topic `alerts` to people."""
