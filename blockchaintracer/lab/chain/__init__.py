"""Contracts that only a lab deploys."""
