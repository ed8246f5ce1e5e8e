"""Rules as data: what is watched, where, and when an alarm is due."""
