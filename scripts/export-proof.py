"""`ape run export-proof`: the client's verb under Ape."""

from scripts._door import door

cli = door("export-proof")
