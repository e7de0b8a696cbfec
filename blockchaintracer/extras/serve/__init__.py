"""Read-only HTTP over an index of one registry, which shows only what is published or on the chain (docs/serve.md).

The index is not the lab's: it takes manifests from the published folder alone. So no search, no name and no number that
is served can come from a manifest that only the lab has.
"""
