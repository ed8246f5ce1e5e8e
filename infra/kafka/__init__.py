"""The local broker: one JVM that is broker and controller."""
