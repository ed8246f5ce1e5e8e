"""Windows and latest values as they come: one follower of the lake's commits, many viewers."""
