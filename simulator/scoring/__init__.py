"""The scorer: holds a lake against ledgers, with readers and decoders of its own."""
