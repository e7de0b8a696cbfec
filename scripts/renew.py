"""`ape run renew`: the client's verb under Ape."""

from scripts._door import door

cli = door("renew")
