"""What can go wrong outside a request.

PredictionApiError
├── StartError       the service cannot start: a setting, the folder or the port
│   └── SettingsError
├── RegistryError    MLflow did not answer, or not with what its API promises
│   ├── LoginRefused
│   └── PinError     MODEL_PIN names what MLflow has not got
├── LogAway          the prediction log's database cannot be used now
└── Refusal          a model version, or its copy, must not be served
"""


class PredictionApiError(Exception):
    """An expected failure; its text is one sentence for people."""


class StartError(PredictionApiError):
    """The service cannot start."""


class SettingsError(StartError):
    """An environment variable is missing or has a value that cannot be used."""


class RegistryError(PredictionApiError):
    """MLflow is away, or answered something else than its REST API promises.

    Its text may hold MLflow's own words and address and is for the log; `summary` is for everybody.
    """

    summary = "MLflow does not answer as it should; the log says why."


class LoginRefused(RegistryError):
    """MLflow wants a login, or another one."""

    summary = "MLflow refuses the login; look at MLFLOW_TRACKING_PASSWORD."


class PinError(RegistryError):
    """MODEL_PIN names what MLflow has not got."""

    summary = "MODEL_PIN names no version that MLflow has; mend it in .env, then run make up."


class LogAway(PredictionApiError):
    """The prediction log's database does not let us in; its text has no login."""


class Refusal(PredictionApiError):
    """A model version is not served, for the reason in the text."""
