"""What stays hidden: files encrypted to named recipients, and values of which only a salted commitment is recorded.

Encryption is age's (age-encryption.org/v1) by pyrage: ``pip install blockchaintracer[privacy]``. Commitments need no
extra.
"""
