"""Re-running a recorded run and comparing what it gives."""
