"""IPFS: addresses, trees and archives of files, and fetching them from anyone while trusting nothing but hashes.

Nothing here keeps a file: what is fetched goes, block by block and verified, to who asked for it.
"""
