"""The verbs as plain functions: what the command line, the scripts and the tracer do."""
