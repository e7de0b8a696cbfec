"""Results that a paper states, compared with their records."""
