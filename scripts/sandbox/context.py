"""What a command or bootstrap step works with."""

from dataclasses import dataclass
from functools import cached_property

from sandbox.clients.airflow import Airflow
from sandbox.clients.mlflow import Mlflow
from sandbox.clients.prediction_api import PredictionApi
from sandbox.clients.statuses import Statuses
from sandbox.drivers import load_driver
from sandbox.drivers.base import Driver
from sandbox.endpoints import Endpoints
from sandbox.settings import ROOT, Settings, create_env_file, load_settings


@dataclass(frozen=True)
class Context:
    """Settings, the driver, and the services' clients, made when first used."""

    settings: Settings
    driver: Driver

    @classmethod
    def load(cls) -> "Context":
        """From .env, which gets the settings of a newer version. Raises SettingsError where there is none."""
        if (ROOT / ".env").exists():
            create_env_file()
        settings = load_settings()
        return cls(settings, load_driver(settings))

    @property
    def endpoints(self) -> Endpoints:
        return self.driver.endpoints

    @cached_property
    def airflow(self) -> Airflow:
        return Airflow(self.endpoints.airflow.outside, "admin", self.settings.airflow_admin_password)

    @cached_property
    def mlflow(self) -> Mlflow:
        """As the administrator; the embedded MLflow asks for no login and ignores it."""
        return Mlflow(self.endpoints.mlflow.outside, "admin", self.settings.mlflow_admin_password)

    @cached_property
    def prediction_api(self) -> PredictionApi:
        return self.new_prediction_api()

    def new_prediction_api(self) -> PredictionApi:
        """Another client, with connections of its own."""
        return PredictionApi(self.endpoints.prediction_api.outside, self.settings.api_token)

    @cached_property
    def statuses(self) -> Statuses:
        return Statuses(self.endpoints.status.outside)
