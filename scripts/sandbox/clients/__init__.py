"""Thin wrappers of the services' HTTP APIs."""
