"""Great Expectations suites: what each table promises, beside what its declaration says."""

import logging

# It tells of every class that it registers, from its import on.
logging.getLogger("great_expectations").setLevel(logging.WARNING)
