"""`ape run ci-token`: the client's verb under Ape."""

from scripts._door import door

cli = door("ci-token")
