"""The installation: environment, locked packages, Java. Standard library alone: it runs first."""
