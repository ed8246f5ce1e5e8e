"""supervisord keeps the services of one home: its configuration, its start, and its API."""
