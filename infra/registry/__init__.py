"""The registry as commands meet it: a service to start, a book over HTTP or of files."""
