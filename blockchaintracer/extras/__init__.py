"""Optional parts, each whole: a library and its verbs."""
