"""Public names of the framework integrations; each is an extra of its own (docs/frameworks.md)."""
