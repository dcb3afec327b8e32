"""The two failures that have a name; anything else is a bug."""


class TrainingError(Exception):
    """What was asked cannot work; trying again changes nothing. The message says how to mend it."""


class UnavailableError(Exception):
    """A server or store did not do its part; trying again may help."""
