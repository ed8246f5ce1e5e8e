"""One module a subcommand of `headwater`, imported when it is asked for."""
