"""What a record is, and whether it holds: needs a chain to ask and bytes to hash, and nothing else."""
