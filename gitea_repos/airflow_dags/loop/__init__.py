"""The loop's own stages as plain functions: they know MLflow, Git and HTTP, and nothing of Airflow."""
