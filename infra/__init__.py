"""The local stack and the `headwater` command."""
