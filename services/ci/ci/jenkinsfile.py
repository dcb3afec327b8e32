"""Reader of the subset of declarative pipelines that CI runs.

    pipeline {
        agent any                                   // or { label 'x' }, or { node { label 'x'; retries 2 } }
        options {
            timeout(time: 30, unit: 'MINUTES')      // SECONDS MINUTES HOURS DAYS
            buildDiscarder(logRotator(numToKeepStr: '20'))
            disableConcurrentBuilds(); timestamps(); skipDefaultCheckout()
        }
        environment { KEY = 'value' }
        stages {
            stage('name') {
                when { branch 'main' }
                options { timeout(time: 5) }
                steps { … }
                post { … }
            }
        }
        post { always { … } success { … } failure { … } cleanup { … } }
    }

Steps: sh, echo, checkout scm, retry(n) { … }, timeout(…) { … }, junit, archiveArtifacts. As in Groovy a
statement ends with its line or with `;`, and a brace opens on the line of its name. Everything else is
refused with the line, what stands there and what is supported: a build must not pass by skipping what it
cannot read.
Source of the syntax: https://www.jenkins.io/doc/book/pipeline/syntax/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ci.errors import JenkinsfileError
from ci.pipeline import Checkout, Echo, Options, Pipeline, Post, Report, Retry, Shell, Stage, Step, Timeout
from ci.statements import Reader
from ci.tokens import Token, complain, tokenize

UNITS = {"SECONDS": 1, "MINUTES": 60, "HOURS": 3600, "DAYS": 86400}
PATTERN_MARKS = "*?[]"


def parse(source: str) -> Pipeline:
    """The pipeline in `source`. Raises JenkinsfileError with line, text and what is supported."""
    if not source.strip():
        raise JenkinsfileError("The Jenkinsfile is empty; it must hold `pipeline { … }`.")
    return _Parser(tokenize(source)).file()


class _Parser(Reader):
    """One method for each section and step."""

    def file(self) -> Pipeline:
        self.skip("newline", ";")
        self.expect("pipeline")
        line = self.token.line
        found = self.sections(
            {
                "agent": self.agent,
                "options": self.pipeline_options,
                "environment": self.environment,
                "stages": self.stages,
                "post": self.post,
            }
        )
        self.skip("newline", ";")
        self.expect_kind("end", "nothing after the pipeline")
        for name in ("agent", "stages"):
            if name not in found:
                raise complain(line, f"the pipeline has no {name!r} section; Jenkins needs it too.")
        del found["agent"]
        return Pipeline(**found)

    def agent(self) -> None:
        """Read and not kept: here is one machine, and a build that it loses is run again by itself."""
        if not self.at("{"):
            self.expect("any")
            return
        line = self.token.line
        found = self.sections({"label": lambda: self.text("label"), "node": self.node})
        if len(found) != 1:
            raise complain(line, "agent needs either label 'name' or node { label 'name' }.")

    def node(self) -> None:
        line = self.token.line
        found = self.sections({"label": lambda: self.text("label"), "retries": lambda: self.call(_=int)})
        if "label" not in found:
            raise complain(line, "node needs a label, as in node { label 'name' }.")
        if found.get("retries", {"_": 1}).get("_", 0) < 1:
            raise complain(line, "retries needs a whole number of 1 or more, as in retries 2.")

    def environment(self) -> dict[str, str]:
        values: dict[str, str] = {}

        def read(name: Token) -> None:
            self.expect("=")
            values[name.text] = self.expect_kind("string", "a quoted string").text

        self.block(read, "KEY = 'value'")
        return values

    def pipeline_options(self) -> Options:
        found = self.sections(
            {
                "timeout": self.seconds,
                "buildDiscarder": self.keep_builds,
                "disableConcurrentBuilds": self.call,
                "timestamps": self.call,
                "skipDefaultCheckout": lambda: self.call(_=bool),
            }
        )
        return Options(found.get("timeout"), found.get("buildDiscarder"))

    def stage_options(self) -> Options:
        return Options(self.sections({"timeout": self.seconds}).get("timeout"))

    def seconds(self) -> int:
        line = self.token.line
        values = self.call(time=int, unit=str)
        unit = values.get("unit", "MINUTES")
        if unit not in UNITS or values.get("time", 0) < 1:
            raise complain(line, f"timeout needs time: 1 or more and a unit of {', '.join(UNITS)}.")
        return values["time"] * UNITS[unit]

    def keep_builds(self) -> int:
        self.expect("(")
        line = self.expect("logRotator").line
        count = self.call(numToKeepStr=str).get("numToKeepStr", "")
        self.expect(")")
        if not (count.isdecimal() and count.isascii() and int(count)):
            raise complain(line, "logRotator needs numToKeepStr: 'N' with a whole number above zero.")
        return int(count)

    def stages(self) -> tuple[Stage, ...]:
        found: dict[str, Stage] = {}
        line = self.token.line

        def read(name: Token) -> None:
            if name.text != "stage":
                raise self.refuse(name, "stage('name') { … }")
            stage = self.stage(name)
            if stage.name in found:
                raise complain(name.line, f"there are two stages {stage.name!r}; give each its own name.")
            found[stage.name] = stage

        self.block(read, "stage('name') { … }")
        if not found:
            raise complain(line, "there are no stages; add stage('name') { steps { … } }.")
        return tuple(found.values())

    def stage(self, start: Token) -> Stage:
        name = self.text("name")
        found = self.sections(
            {"when": self.when, "options": self.stage_options, "steps": self.steps, "post": self.post}
        )
        if not name.strip() or "steps" not in found:
            raise complain(start.line, f"stage({name!r}) needs a name and steps {{ … }}.")
        return replace(Stage(name, found.pop("steps"), found.pop("when", None)), **found)

    def when(self) -> str:
        line = self.token.line
        branch = self.sections({"branch": lambda: self.text("pattern")}).get("branch", "")
        if not branch or any(mark in branch for mark in PATTERN_MARKS):
            raise complain(line, f"when needs branch 'name' with a plain name, not {branch!r}.")
        return branch

    def post(self) -> Post:
        return Post(**self.sections(dict.fromkeys(("always", "success", "failure", "cleanup"), self.steps)))

    # -- steps

    def steps(self) -> tuple[Step, ...]:
        found: list[Step] = []
        readers: dict[str, Callable[[], Step]] = {
            "sh": self.shell,
            "echo": lambda: Echo(self.text("message")),
            "checkout": self.checkout,
            "retry": self.retry,
            "timeout": lambda: Timeout(self.seconds(), self.steps()),
            "junit": lambda: Report("junit", self.text("testResults", allowEmptyResults=bool)),
            "archiveArtifacts": lambda: Report(
                "archiveArtifacts", self.text("artifacts", allowEmptyArchive=bool, fingerprint=bool)
            ),
        }
        line = self.token.line

        def read(name: Token) -> None:
            if name.text not in readers:
                raise self.refuse(name, ", ".join(readers))
            found.append(readers[name.text]())

        self.block(read, ", ".join(readers))
        if not found:
            raise complain(line, "the block has no steps; add one, such as sh 'make test'.")
        return tuple(found)

    def shell(self) -> Shell:
        line = self.token.line
        script = self.text("script", label=str)
        if script.lstrip().startswith("#!"):
            raise complain(line, "a script with its own #! line is not supported; sh runs /bin/sh.")
        return Shell(script)

    def checkout(self) -> Checkout:
        self.expect("scm")
        return Checkout()

    def retry(self) -> Retry:
        line = self.token.line
        times = self.call(_=int, count=int)
        count = times.get("_", times.get("count", 0))
        if count < 1:
            raise complain(line, "retry needs a count of 1 or more, as in retry(2) { … }.")
        return Retry(count, self.steps())
