"""What stands between devices and the streams: outboxes for records, and the registry's files."""
