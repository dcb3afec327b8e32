"""A prediction API that follows the champion of an MLflow model registry."""
