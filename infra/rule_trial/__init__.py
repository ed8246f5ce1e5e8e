"""A rule tried on history: how often it would have fired, and on whom."""
