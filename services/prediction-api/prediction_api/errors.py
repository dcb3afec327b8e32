"""What can go wrong outside a request.

PredictionApiError
├── StartError       the service cannot start: a setting, the folder or the port
│   └── SettingsError
├── RegistryError    MLflow did not answer, or not with what its API promises
└── Refusal          a model version, or its copy, must not be served
"""


class PredictionApiError(Exception):
    """An expected failure; its text is one sentence for people."""


class StartError(PredictionApiError):
    """The service cannot start."""


class SettingsError(StartError):
    """An environment variable is missing or has a value that cannot be used."""


class RegistryError(PredictionApiError):
    """MLflow is away, or answered something else than its REST API promises."""


class Refusal(PredictionApiError):
    """A model version is not served, for the reason in the text."""
