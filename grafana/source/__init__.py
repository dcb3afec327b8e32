"""What `grafana/dashboards/*.json` is made of: one module a dashboard. `make dashboards` writes the files."""
