"""From what a person gives to a record: content, runs, their documents and templates."""
