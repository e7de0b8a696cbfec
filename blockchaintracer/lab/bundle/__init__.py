"""Writing proof bundles: one file that proves records to somebody who has nothing else."""
