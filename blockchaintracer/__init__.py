"""Record datasets, models, runs and results so that anyone can check who committed to what, and when."""

__version__ = "0.1.0"
