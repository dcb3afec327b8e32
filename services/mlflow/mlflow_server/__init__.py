"""What the sandbox adds to MLflow's server; MLflow finds it by the entry points in pyproject.toml."""
