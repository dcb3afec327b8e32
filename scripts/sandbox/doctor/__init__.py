"""`sandbox doctor`: follows each link of the sandbox from outside and says which one is broken."""

from sandbox.doctor.diagnosis import diagnose, show, show_summary

__all__ = ["diagnose", "show", "show_summary"]
