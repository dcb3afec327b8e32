"""The monitor: what the loop did, as metrics, events and messages (docs/architecture.md, seam 16)."""
