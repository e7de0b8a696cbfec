"""`ape run page`: the client's verb under Ape."""

from scripts._door import door

cli = door("page")
