"""MLflow runs as records: each run is recorded when it ends, and compared with MLflow later."""
