"""The demo: a mixed fleet with faults, watched as it flows through the tables."""
