"""The docker driver's own decisions: what it refuses, what it calls healthy, when an image is another one."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from docker.errors import DockerException, ImageNotFound

from sandbox.compose import FOLDER, PROJECT, Compose
from sandbox.drivers import engine, images
from sandbox.drivers.docker import DockerDriver, health
from sandbox.drivers.environment_files import render_raw
from sandbox.errors import MachineError, ServiceError, SettingsError
from sandbox.settings import ROOT

GOOD = {"Architecture": "x86_64", "MemTotal": 8 * 1024**3, "NCPU": 4, "DockerRootDir": "/not-on-this-machine"}


def container(running=True, status=None, output="", code=0, restart="unless-stopped"):
    state = {"Running": running, "ExitCode": code, "StartedAt": "2026-01-01T10:00:00.123Z"}
    if status:
        state["Health"] = {"Status": status, "Log": [{"Output": output}]}
    attrs = {"State": state, "HostConfig": {"RestartPolicy": {"Name": restart}}}
    return SimpleNamespace(short_id="abc", attrs=attrs)


def created():
    """A container that waits for those it depends on."""
    made = container(running=False)
    made.attrs["State"]["Status"] = "created"
    return made


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, (False, False, "not created")),
        (container(status="healthy"), (True, True, "container abc, since 2026-01-01T10:00:00")),
        (container(), (True, True, "container abc, since 2026-01-01T10:00:00")),
        (container(status="starting"), (True, False, "container abc, starting: ")),
        (
            container(status="unhealthy", output="one\ntwo\n"),
            (True, False, "container abc, unhealthy: two"),
        ),
        (container(running=False, restart="no"), (False, True, "container abc, ended with 0")),
        (container(running=False, code=1, restart="no"), (False, False, "container abc, ended with 1")),
        (container(running=False), (False, False, "container abc, ended with 0")),
        (created(), (False, False, "container abc, not started yet")),
    ],
)
def test_health_says_what_the_container_says(found, expected):
    assert [part if not isinstance(part, str) else part.removesuffix(": ") for part in health(found)] == [
        part if not isinstance(part, str) else part.removesuffix(": ") for part in expected
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [({"Architecture": "riscv64"}, "P14"), ({"MemTotal": 2 * 1024**3}, "P15")],
)
def test_an_engine_that_is_too_small_is_refused_with_both_ways_out(change, code):
    with pytest.raises(MachineError, match=code) as caught:
        engine._check_size(GOOD | change, installed=False)
    assert "DRIVER=embedded" in caught.value.hint


def test_an_engine_that_is_large_enough_passes(capsys):
    engine._check_size(GOOD, installed=False)
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(engine.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 1024**3))
    with pytest.raises(MachineError, match="P16"):
        engine._check_size(GOOD | {"DockerRootDir": str(tmp_path)}, installed=False)


def test_an_installed_stack_needs_less_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(engine.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 1024**3))
    engine._check_size(GOOD | {"DockerRootDir": str(tmp_path)}, installed=True)


@pytest.mark.parametrize(("name", "code"), [("ca_bundle", "P18"), ("compose_override", "P19")])
def test_a_relative_path_is_refused(settings, name, code):
    with pytest.raises(MachineError, match=code):
        engine._check_files(replace(settings, **{name: "Makefile"}))


def test_a_file_that_containers_cannot_read_is_named(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "ROOT", tmp_path)
    monkeypatch.setattr(engine, "READ_BY_CONTAINERS", ("prometheus",))
    (tmp_path / "prometheus").mkdir(mode=0o755)
    engine._check_files(settings)
    (tmp_path / "prometheus/prometheus.yml").touch(mode=0o600)
    with pytest.raises(MachineError, match=r"P23 .*prometheus.yml"):
        engine._check_files(settings)


def foreign(project, folder):
    """An engine that has one container of another folder or name."""
    labels = {PROJECT: project, FOLDER: str(folder)}
    containers = SimpleNamespace(list=lambda **_: [SimpleNamespace(labels=labels)])
    return SimpleNamespace(containers=containers)


def test_the_project_of_another_clone_is_left_alone(tmp_path):
    with pytest.raises(MachineError, match=r"P17 .* belongs to"):
        engine.check_owner(foreign("mlops-sandbox", tmp_path), "mlops-sandbox")
    engine.check_owner(foreign("mlops-sandbox", ROOT / "compose"), "mlops-sandbox")


def test_a_renamed_project_is_not_left_running():
    with pytest.raises(MachineError, match=r"P22 .* under the name old"):
        engine._check_other_names(foreign("old", ROOT / "compose"), "new")
    engine._check_other_names(foreign("new", ROOT / "compose"), "new")


def test_only_tags_of_our_own_names_are_ours():
    tags = ["grafana/mlflow:1", "grafana/grafana:13", "other/mlflow:1", "grafana/engine:2"]
    found = [SimpleNamespace(tags=tags, attrs={"Size": 1})]
    listed = SimpleNamespace(images=SimpleNamespace(list=lambda: found))
    assert set(images.own_tags(listed, "grafana")) == {"grafana/mlflow:1", "grafana/engine:2"}


@pytest.mark.parametrize(
    ("version", "refused"),
    [
        ("", True),
        ("2.29.7", True),
        ("2.30.0", False),
        ("2.40.3-3", False),
        ("5.5.0", False),
        ("19.03.1", False),
    ],
)
def test_versions_are_compared_by_number(version, refused):
    if refused:
        with pytest.raises(MachineError, match="P12"):
            engine._check_version("P12", "Docker Compose", version, (2, 30))
    else:
        engine._check_version("P12", "Docker Compose", version, (2, 30))


def test_an_image_is_another_one_when_its_sources_or_the_override_change(tmp_path, monkeypatch):
    folder = tmp_path / "services/mlflow"
    folder.mkdir(parents=True)
    (tmp_path / "compose").mkdir()
    layer = tmp_path / "compose/compose.tracking.yaml"
    layer.write_text("services: {mlflow: {build: {args: {PYTHON_IMAGE: 'python:1'}}}}")
    (folder / "a.py").write_text("1")
    monkeypatch.setattr(images, "ROOT", tmp_path)
    monkeypatch.setattr(images, "SOURCES", {"mlflow": ("services/mlflow",)})

    def tag(override=""):
        return images.image_tags(override)["TAG_MLFLOW"]

    first = tag()
    (folder / "tests").mkdir()
    (folder / "tests/test_a.py").write_text("not in the image")
    assert tag() == first
    (folder / "a.py").write_text("2")
    assert tag() != first
    override = tmp_path / "override.yaml"
    override.write_text("services: {mlflow: {build: {args: {PYTHON_IMAGE: standin}}}}")
    assert tag(str(override)) not in {first, tag()}
    second = tag()
    (folder / "README.md").write_text("not in the image")
    assert tag() == second
    layer.write_text("services: {mlflow: {build: {args: {PYTHON_IMAGE: 'python:2'}}}}")
    assert tag() != second


def test_an_image_for_another_platform_does_not_count(monkeypatch):
    def manifest(architecture, sizes):
        layers = [{"size": size} for size in sizes]
        platform = {"platform": {"architecture": architecture}}
        return {"Descriptor": platform, "SchemaV2Manifest": {"layers": layers}}

    found = [manifest("amd64", [1, 2]), manifest("arm64", [3, 4])]
    monkeypatch.setattr(engine, "manifest", lambda *_: found)
    assert engine._download_size("any", "arm64", {}) == 7
    assert engine._download_size("any", "s390x", {}) is None


def test_loop_env_as_raw_lines_refuses_a_line_break():
    assert render_raw({"A": "x $y 'z'"}) == "A=x $y 'z'\n"
    with pytest.raises(SettingsError, match="B holds"):
        render_raw({"B": "1\n2"})


def test_every_port_of_the_driver_is_a_setting(settings):
    assert len(settings.ports(DockerDriver.ports)) == len(DockerDriver.ports)


def an_engine(has, reaches):
    """An engine with these images, whose registries have those."""

    def get(image):
        if image not in has:
            raise ImageNotFound(image)

    def get_registry_data(image):
        if image not in reaches:
            raise DockerException("no such host")

    return SimpleNamespace(images=SimpleNamespace(get=get, get_registry_data=get_registry_data))


def test_docker_is_no_choice_where_its_images_cannot_be_had():
    names = images.upstream_images("")
    assert any(name.startswith("gitea/gitea:") for name in names)
    assert not [name for name in names if "$" in name]
    assert any(name.startswith("jenkins/jenkins:") for name in names), "bases count"
    assert engine.unreachable_images(an_engine(has=names, reaches=[]), "") == []
    assert engine.unreachable_images(an_engine(has=names[1:], reaches=[]), "") == names[:1]
    assert engine.unreachable_images(an_engine(has=[], reaches=names[1:]), "") == names[:1]


def test_images_of_an_override_count_and_absent_services_do_not(tmp_path):
    override = tmp_path / "mine.yaml"
    override.write_text(
        "services: {gitea: {image: 'mine/gitea:1'}, grafana: {profiles: [absent]}, mysql: {mem_limit: 1g}}"
    )
    names = images.upstream_images(str(override))
    assert "mine/gitea:1" in names
    assert not [name for name in names if name.startswith(("gitea/", "grafana/"))]
    assert [name for name in names if name.startswith("mysql:")]


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("Error response from daemon: listen tcp4 127.0.0.1:8802: bind: address already in use", "make up"),
        ("Error response from daemon: no space left on device", "make logs"),
    ],
)
def test_a_failed_compose_command_shows_the_error_and_what_mends_it(monkeypatch, error, hint):
    progress = " Container lab-minio-1  Starting\n Container lab-minio-1  Started\n"
    ended = SimpleNamespace(returncode=1, stdout="", stderr=f"{progress}{error}\n")
    monkeypatch.setattr(Compose, "_call", lambda *_: ended)
    with pytest.raises(ServiceError) as raised:
        Compose("lab", "", {}).run("up", "--detach")
    assert str(raised.value) == f"docker compose up failed:\n{error}"
    assert hint in raised.value.hint
