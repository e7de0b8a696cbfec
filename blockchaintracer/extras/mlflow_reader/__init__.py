"""Reading what MLflow holds of runs, datasets and models. A store can be a stranger's; nothing is written to it."""
