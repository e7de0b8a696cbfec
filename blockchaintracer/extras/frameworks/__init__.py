"""Frameworks and data libraries: what each knows of a run, in the terms of a record. Each is an extra of its own,
imported only where it is used."""
