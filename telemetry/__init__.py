"""The language of Headwater: messages, products, tables, topics and settings; no engine, no I/O."""
