"""Jenkins' agent, as far as it shows without an engine: what its start script and its Dockerfile do."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

AGENT = Path(__file__).parents[2] / "jenkins-agent"


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """start.sh with all it needs in tmp_path; what makes a file and a folder stands for sshd."""
    (tmp_path / "sshd").write_text(f"#!/bin/sh\ntouch {tmp_path}/file\nmkdir {tmp_path}/folder\n")
    text = (AGENT / "start.sh").read_text()
    for path in ("/usr/sbin/sshd", "/var/lib/jenkins-agent"):
        assert path in text
        text = text.replace(path, str(tmp_path / Path(path).name))
    (tmp_path / "jenkins-agent").mkdir()
    (tmp_path / "jenkins-agent" / "ssh_host_ed25519_key").touch()
    (tmp_path / "start.sh").write_text(text)
    for name in ("sshd", "start.sh"):
        (tmp_path / name).chmod(0o755)
    return tmp_path / "start.sh"


def test_only_the_login_is_kept_from_others(start: Path, tmp_path: Path) -> None:
    login = "http://loop:it's a $ecret@gitea"
    env = os.environ | {
        "HOME": str(tmp_path),
        "JENKINS_AGENT_SSH_PUBKEY": "ssh-ed25519 AAAA",
        "GIT_URL": login,
    }
    subprocess.run([start], env=env, umask=0o022, check=True)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert (modes["file"], modes["folder"]) == (0o644, 0o755)
    assert (modes[".ssh"], modes["authorized_keys"], modes["build-environment"]) == (0o700, 0o600, 0o600)
    assert [path.name for path in (tmp_path / ".ssh").iterdir()] == [
        "authorized_keys"
    ]  # sessions know nothing
    read = ["sh", "-c", f'unset GIT_URL; . {tmp_path}/build-environment && printf %s "$GIT_URL"']
    assert subprocess.run(read, capture_output=True, text=True, check=True).stdout == login


def test_everything_that_pip_installs_has_its_hash() -> None:
    text = (AGENT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip (?:\S+ \S+ )?install [^&\n]*", text)
    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []
    copied = re.findall(r"COPY (\S+\.lock)", text)
    assert "jenkins-agent/requirements.lock" in copied
    ignored = (AGENT / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{path}" for path in copied} <= set(ignored)
