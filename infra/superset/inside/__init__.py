"""What runs inside Superset's environment: nothing here is imported by the rest of Headwater."""
