"""The content-addressed store, the copies that it has, and where else to fetch them."""
