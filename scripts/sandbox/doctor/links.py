"""The links, in the order in which a push takes them. docs/doctor.md has each code."""

from sandbox.doctor import builds, catching_up, containers, git, machine, registry
from sandbox.doctor.check import Check

UP = "Run: make up"
LOGS = "Run: make logs SERVICE={service}"
CI = "jenkins|ci|gitea"  # who builds; `gitea` where services/ci stands for both, in the tests

HERE = ("D02",)  # the services are known
PULL = ("D15", "D16")

CHECKS = (
    Check("D01", "settings", machine.settings, UP),
    Check("D02", "driver", machine.driver, "Start Docker, then: make up", needs=("D01",)),
    Check("D03", "services", machine.services, UP, needs=HERE),
    Check("D04", "Gitea's administrator", git.administrator, UP, ("gitea",), HERE),
    Check("D05", "Gitea's user loop", git.loop_user, UP, ("gitea",), ("D04",)),
    Check("D06", "push hooks in Gitea", git.hooks, UP, ("gitea",), ("D04",)),
    Check("D07", "hooks of bare repositories", git.bare_hooks, UP, ("ci",), HERE),
    Check("D08", "Gitea reaches Jenkins", containers.reach_jenkins, LOGS, ("jenkins", "gitea"), HERE),
    Check("D09", "signed push is taken", builds.signed_push, UP, (CI,), HERE),
    Check("D10", "bad signature is refused", builds.bad_signature, LOGS, (CI,), HERE),
    Check("D11", "jobs and last builds", builds.jobs, LOGS, (CI,), HERE),
    Check("D12", "commit statuses", builds.statuses, LOGS, (CI, "gitea|ci"), HERE),
    Check("D13", "agent", builds.agent, LOGS, ("jenkins-agent", "jenkins"), HERE),
    Check("D14", "clone from inside", containers.clone, UP, ("jenkins-agent", "gitea"), ("D05",)),
    Check("D15", "engine of builds", containers.engine, LOGS, ("engine", "jenkins-agent"), HERE),
    Check("D16", "registry gives images", registry.pull, LOGS, ("registry",), HERE),
    Check("D17", "registry takes images", registry.push, LOGS, ("registry",), ("D16",)),
    Check("D18", "missed pushes", catching_up.missed_pushes, LOGS, ("jenkins",), HERE),
    Check("D19", "engine gets images", containers.pull, LOGS, ("engine", "registry", "jenkins-agent"), PULL),
)
