"""Pages of docs/reference/ that are made from the code, and what the site of docs/ is built by."""
