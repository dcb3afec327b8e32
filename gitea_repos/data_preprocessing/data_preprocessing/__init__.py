"""From a raw CSV or SQL query to a validated, split and versioned data set."""
