"""The newest files of silver, read once and kept by series."""
