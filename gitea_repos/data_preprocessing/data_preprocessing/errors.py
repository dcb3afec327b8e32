"""What can go wrong, by what a retry would do.

DataError            one sentence: what, where, how to mend
├── Rejected         the input is at fault: a retry ends the same
└── Unavailable      something outside does not answer: a retry may help
"""


class DataError(Exception):
    """Base of every failure that this project foresees."""


class Rejected(DataError):
    """The data, the parameters or the request are at fault."""


class Unavailable(DataError):
    """Git, the data store, the database or MLflow does not answer as it should."""
