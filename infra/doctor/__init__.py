"""What this machine must have before a stack can start on it."""
