"""Judge whether the requests of the served model still look like the rows it was trained on."""
