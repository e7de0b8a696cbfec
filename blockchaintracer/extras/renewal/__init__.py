"""Renewal: what old records commit to is hashed again by other hashes before the old ones can be broken (RFC 4998).

>>> from blockchaintracer.extras.renewal.hash_tree import HashTree, hashed
>>> tree = HashTree({"object/" + "ab" * 32: hashed([b"data"]), "object/" + "cd" * 32: hashed([b"more"])})
>>> HashTree.parse(tree.to_bytes()).roots == tree.roots
True
"""
