"""Fits exponentials."""
