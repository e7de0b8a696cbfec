"""Tokens of CI providers beside records: which job of which workflow, at which commit, asked for a record."""
