"""Great Expectations suites: what each table promises, beside what its declaration says."""
