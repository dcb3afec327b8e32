"""The MLOps sandbox: a commit that you push becomes a served model that you can watch."""
