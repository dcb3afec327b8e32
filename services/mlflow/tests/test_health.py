"""The health check tells what a client would see."""

from conftest import PASSWORDS, Server

from mlflow_server.health import check


def _environment(server: Server, password: str) -> dict[str, str]:
    return {"MLFLOW_PORT": str(server.port), "MLFLOW_SERVING_PASSWORD": password}


def test_a_server_that_answers_is_healthy(server: Server) -> None:
    assert check(_environment(server, PASSWORDS["serving"])) == ""


def test_a_wrong_password_is_not_and_stays_secret(server: Server) -> None:
    reason = check(_environment(server, "wrong-password"))
    assert reason.startswith("MLflow answered 401")
    assert "wrong-password" not in reason


def test_nobody_there_is_not() -> None:
    assert check({"MLFLOW_PORT": "9"}).startswith("MLflow does not answer")
