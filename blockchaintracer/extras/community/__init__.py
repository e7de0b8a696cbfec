"""A community's address book: registries and groups that it trusts, signed and versioned as TUF's root metadata is."""
