"""The block of `gitea` where services/ci stands for Gitea and Jenkins: Git, statuses and builds over HTTP."""

from typing import Any

PORT = 3000
HEALTH = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/health', timeout=4)"
LOOP_ENV = "/etc/sandbox/loop.env"

# What it needs of .env and of the driver, as the blocks of gitea, jenkins and jenkins-agent do together.
ENVIRONMENT: dict[str, str | None] = {
    "CI_PORT": str(PORT),
    "CI_URL": f"http://gitea:{PORT}",
    "CI_WEB_URL": "http://127.0.0.1:${CI_PORT:?}",
    "CI_WEBHOOK_SECRET": "${CI_WEBHOOK_SECRET:?}",
    "CI_TOKEN": "${CI_TOKEN:?}",
    "CI_ADMIN_USER": "sandbox",
    "CI_ADMIN_PASSWORD": "${GITEA_ADMIN_PASSWORD:?}",
    "CI_KEEP_BUILDS": "${CI_KEEP_BUILDS:?}",
    "CI_KEEP_DAYS": "${CI_KEEP_DAYS:?}",
    "KEEP_ENVIRONMENTS": "${KEEP_ENVIRONMENTS:?}",
    "CI_STAGE_TIMEOUT": "${CI_STAGE_TIMEOUT:?}",
    "ORGANISATION": "mlops",
    "LOOP_ENV": LOOP_ENV,
    "DOCKER_HOST": "tcp://engine:2376",
    "DOCKER_TLS_VERIFY": "1",
    "DOCKER_CERT_PATH": "/certs/client",
    "PYTHON_IMAGE": "registry:5000/base/python:sandbox",
    "HTTP_PROXY": "${HTTP_PROXY?}",
    "HTTPS_PROXY": "${HTTPS_PROXY?}",
    "NO_PROXY": "localhost,127.0.0.1,registry,gitea,mlflow,airflow-api,prediction-api,minio,engine",
    # Names without a value: there only where the driver has one.
    **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT")),
}


def block(image: str) -> dict[str, Any]:
    """The service; what it leaves out is the real Gitea's."""
    return {
        "image": image,
        "environment": ENVIRONMENT,
        "ports": [f"127.0.0.1:${{CI_PORT:?}}:{PORT}"],
        "volumes": [
            "gitea-data:/var/lib/ci",
            "engine-certs:/certs/client:ro",
            "${CA_FILE:?}:/etc/sandbox/ca.pem:ro",
        ],
        "configs": [{"source": "loop-env", "target": LOOP_ENV}],
        "healthcheck": {"test": ["CMD", "/opt/ci/bin/python", "-c", HEALTH]},
        "depends_on": {"engine": {"condition": "service_healthy"}},
        "mem_limit": "3g",
        "cpus": 2,
    }


CONFIGS = {"loop-env": {"environment": "LOOP_ENV_TEXT"}}
