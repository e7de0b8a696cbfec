"""Records in the formats of others, each by the library that its community keeps; all say where the record is."""
