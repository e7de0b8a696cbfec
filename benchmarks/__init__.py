"""What the project measures of itself, each measurement beside something it can be compared with."""
