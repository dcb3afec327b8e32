"""Each stand-in starts and answers as the image it stands for, with the arguments that Compose gives."""

import io
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest
import requests
import yaml
from minio import Minio
from minio.error import S3Error

from sandbox.errors import ServiceError
from sandbox.wait import wait_until

HERE = Path(__file__).resolve().parent
SETTINGS = ["--skip-log-bin", "--performance-schema=OFF", "--mysqlx=0", "--innodb-buffer-pool-size=96M"]
Start = Callable[..., str]


def docker(*command: str | Path) -> str:
    done = subprocess.run(["docker", *map(str, command)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def docker_answers() -> bool:
    return (
        bool(shutil.which("docker"))
        and not subprocess.run(["docker", "info"], capture_output=True).returncode
    )


pytestmark = pytest.mark.skipif(not docker_answers(), reason="no Docker Engine answers")


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """The override file's services; missing stand-ins are built first."""
    file = tmp_path_factory.mktemp("override") / "compose.yaml"
    command = [sys.executable, HERE / "build.py", "--override", file]
    subprocess.run(command, check=True, timeout=1800)
    return yaml.safe_load(file.read_text())["services"]


@pytest.fixture
def start(services) -> Iterator[Start]:
    """Start a stand-in with options for `docker run` and for its program; all go at the end."""
    begun: list[str] = []

    def run(service: str, *arguments: str, options: tuple[str, ...] = ()) -> str:
        begun.append(f"standins-test-{uuid.uuid4().hex[:8]}")
        safe = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--init"]
        docker(
            "run", "--detach", "--name", begun[-1], *safe, *options, services[service]["image"], *arguments
        )
        return begun[-1]

    yield run
    for name in begun:
        docker("rm", "--force", "--volumes", name)


@pytest.fixture
def volume() -> Iterator[str]:
    name = f"standins-test-{uuid.uuid4().hex[:8]}"
    docker("volume", "create", name)
    yield name
    docker("volume", "rm", "--force", name)


def address(container: str, port: int) -> str:
    return docker("port", container, str(port)).splitlines()[0]


def get(container: str, port: int, path: str) -> str:
    """The text of a page as soon as it answers 200; the container's log where it does not."""

    def look() -> requests.Response | None:
        try:
            answer = requests.get(f"http://{address(container, port)}{path}", timeout=5)
        except requests.ConnectionError as error:
            raise ServiceError(str(error)) from error
        return answer if answer.ok else None

    try:
        return wait_until(look, what=path, seconds=60).text
    except ServiceError as error:
        log = subprocess.run(["docker", "logs", container], capture_output=True, text=True)
        pytest.fail(f"{error}\n{log.stdout}{log.stderr}")


def published(*ports: int) -> tuple[str, ...]:
    return tuple(word for port in ports for word in ("--publish", f"127.0.0.1::{port}"))


def login(container: str, password: str) -> pymysql.Connection:
    host, port = address(container, 3306).split(":")
    try:
        return pymysql.connect(host=host, port=int(port), user="sandbox", password=password)
    except pymysql.OperationalError as error:
        raise ServiceError(str(error)) from error


def test_mysql_takes_its_login_from_the_init_file_at_each_start(volume, start, tmp_path):
    def server(password: str) -> str:
        statements = [
            f"CREATE USER IF NOT EXISTS 'sandbox'@'%' IDENTIFIED BY '{password}';",
            f"ALTER USER 'sandbox'@'%' IDENTIFIED BY '{password}';",
            "GRANT ALL PRIVILEGES ON *.* TO 'sandbox'@'%' WITH GRANT OPTION;",
        ]
        file = tmp_path / f"{password}.sql"
        file.write_text("\n".join(statements) + "\n")
        mounts = ("--volume", f"{volume}:/var/lib/mysql", "--volume", f"{file}:/etc/sandbox.sql:ro")
        options = (*published(3306), *mounts, "--user", "mysql")
        return start("mysql", "--init-file=/etc/sandbox.sql", *SETTINGS, options=options)

    first = server("one")
    with wait_until(lambda: login(first, "one"), what="mysql", seconds=90) as connection:
        connection.cursor().execute("CREATE DATABASE kept")
    docker("exec", "--env", "MYSQL_PWD=one", first, "mysql", "-h127.0.0.1", "-usandbox", "-e", "SELECT 1")
    docker("stop", "--time", "60", first)

    second = server("two")
    with wait_until(lambda: login(second, "two"), what="mysql", seconds=90) as connection:
        cursor = connection.cursor()
        cursor.execute("SHOW DATABASES LIKE 'kept'")
        assert cursor.fetchall() == (("kept",),)
        cursor.execute("SELECT @@log_bin, @@performance_schema, @@innodb_buffer_pool_size, @@version")
        assert cursor.fetchone()[:3] == (0, 0, 96 * 2**20)
    with pytest.raises(ServiceError, match="Access denied"):
        login(second, "one")


def test_minio_keeps_objects_and_refuses_a_wrong_secret(start):
    login = ("--env", "MINIO_ROOT_USER=sandbox", "--env", "MINIO_ROOT_PASSWORD=right-secret")
    options = (*published(9000, 9001), *login)
    container = start("minio", "server", "/data", "--console-address", ":9001", options=options)
    get(container, 9000, "/minio/health/ready")
    docker("exec", container, "/usr/bin/silo", "healthcheck", "ready")
    assert "<html" in get(container, 9001, "/")

    client = Minio(address(container, 9000), "sandbox", "right-secret", secure=False)
    client.make_bucket("things")
    client.put_object("things", "a/b", io.BytesIO(b"0123456789"), 10)
    assert client.get_object("things", "a/b", offset=2, length=3).read() == b"234"
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        Minio(address(container, 9000), "sandbox", "wrong-secret", secure=False).list_buckets()


def test_minio_probe_fails_where_no_server_runs(start):
    container = start("minio", "600", options=("--entrypoint", "sleep"))
    probe = subprocess.run(["docker", "exec", container, "/usr/bin/silo", "healthcheck", "ready"])
    assert probe.returncode != 0


def test_registry_gives_back_what_was_pushed(start):
    container = start("registry", options=(*published(5000), "--read-only", "--tmpfs", "/tmp"))
    get(container, 5000, "/v2/")
    docker("exec", container, "wget", "-qO", "/dev/null", "http://127.0.0.1:5000/v2/")
    image = docker("inspect", "--format", "{{.Config.Image}}", container)
    pushed = f"{address(container, 5000)}/things:one"
    try:
        docker("tag", image, pushed)
        docker("push", "--quiet", pushed)
        docker("rmi", pushed)
        docker("pull", "--quiet", pushed)
        assert docker("inspect", "--format", "{{.Id}}", pushed) == docker(
            "inspect", "--format", "{{.Id}}", image
        )
    finally:
        docker("rmi", "--force", pushed)


SCRAPED = [
    ("prometheus", 9090, "/-/ready", "Ready", ()),
    ("alertmanager", 9093, "/-/ready", "OK", ()),
    ("node-exporter", 9100, "/metrics", "node_memory_MemTotal_bytes", ()),
    ("blackbox-exporter", 9115, "/metrics", "blackbox_exporter_build_info", ()),
    ("statsd-exporter", 9102, "/metrics", "statsd_exporter_build_info", ()),
    (
        "mysqld-exporter",
        9104,
        "/metrics",
        "mysql_up 0",
        ("--mysqld.username=nobody", "--mysqld.address=localhost:1"),
    ),
]


@pytest.mark.parametrize(
    ("service", "port", "path", "wanted", "arguments"), SCRAPED, ids=[row[0] for row in SCRAPED]
)
def test_monitoring_answers_without_root(start, service, port, path, wanted, arguments):
    password = ("--env", "MYSQLD_EXPORTER_PASSWORD=none")
    container = start(service, *arguments, options=(*published(port), *password))
    assert wanted in get(container, port, path)
    assert docker("exec", container, "id", "-u") == "65534"
    docker("exec", container, "wget", "-qO", "/dev/null", f"http://127.0.0.1:{port}{path}")


def test_python_is_shaped_like_the_official_image(services):
    image = services["mlflow"]["build"]["args"]["PYTHON_IMAGE"]
    script = "import sys; print(sys.executable, *sys.version_info[:2])"
    printed = docker("run", "--rm", image, "/usr/local/bin/python", "-c", script)
    assert printed.split()[1:] == ["3", "13"]
    docker("run", "--rm", image, "sh", "-c", "python -m venv /tmp/v && /tmp/v/bin/pip --version && pip check")


def test_docker_base_has_the_tools_of_an_engine(services):
    image = services["engine"]["build"]["args"]["DOCKER_IMAGE"]
    tools = "command -v dockerd docker openssl iptables hostname mount && dockerd --version"
    assert "Docker version 2" in docker("run", "--rm", image, "sh", "-c", tools)


def test_every_image_has_a_name_of_its_own_and_the_label(services):
    images = [block["image"] for block in services.values() if "image" in block]
    assert len(images) >= 10
    for image in images:
        assert image.startswith("standin/")
        name = image.removeprefix("standin/").partition(":")[0]
        label = '{{index .Config.Labels "mlops-sandbox.standin"}}'
        assert docker("image", "inspect", "--format", label, image) == name
