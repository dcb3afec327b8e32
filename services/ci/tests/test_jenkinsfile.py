"""The subset that is read, and that everything else is refused with its line."""

from __future__ import annotations

import pytest

from ci.errors import JenkinsfileError
from ci.jenkinsfile import parse
from ci.pipeline import Checkout, Echo, Options, Report, Retry, Shell, Stage, Timeout

WHOLE = r"""#!/usr/bin/env groovy
// what CI does
/* and more
   of it */
pipeline {
    agent { label 'python' }
    options {
        timeout(time: 30, unit: 'MINUTES')
        disableConcurrentBuilds()
        buildDiscarder(logRotator(numToKeepStr: '7'))
        timestamps()
        skipDefaultCheckout(true)
    }
    environment {
        KEY = 'value'
        OTHER = "plain \"text\" \$HOME"
    }
    stages {
        stage('install') {
            steps {
                checkout scm
                echo "hello"; sh 'make install' // both on one line
            }
        }
        stage("test it") {
            when { branch 'main' }
            options { timeout(time: 90, unit: 'SECONDS') }
            steps {
                retry(2) {
                    sh(script: 'make test', label: 'Tests')
                }
                timeout(
                    time: 1,
                    unit: 'HOURS',
                ) {
                    sh '''
                        echo 'a' "$B" \\
                          c
                    '''
                }
            }
            post {
                always {
                    junit testResults: 'build/*.xml', allowEmptyResults: true
                    archiveArtifacts artifacts: 'build/**', fingerprint: true
                }
            }
        }
    }
    post {
        failure { echo 'sad' }
        cleanup { sh 'rm -f x' }
    }
}
"""


@pytest.mark.parametrize("agent", ["any", "{ label 'x' }", "{ node { label 'x'; retries 2 } }"])
def test_an_agent_is_read_in_each_of_its_forms(agent: str) -> None:
    assert parse(WHOLE.replace("{ label 'python' }", agent)) == parse(WHOLE)


def steps(text: str) -> str:
    return (
        "pipeline {\n agent any\n stages {\n  stage('a') {\n   steps {\n    " + text + "\n   }\n  }\n }\n}\n"
    )


def test_everything_of_the_subset_is_read() -> None:
    pipeline = parse(WHOLE)
    assert pipeline.options == Options(timeout=1800, keep_builds=7)
    assert pipeline.environment == {"KEY": "value", "OTHER": 'plain "text" $HOME'}
    install, test = pipeline.stages
    assert install == Stage("install", (Checkout(), Echo("hello"), Shell("make install")))
    assert (test.name, test.branch, test.options.timeout) == ("test it", "main", 90)
    assert test.steps[0] == Retry(2, (Shell("make test"),))
    assert isinstance(test.steps[1], Timeout)
    assert test.steps[1].seconds == 3600
    assert test.steps[1].steps[0].script.split() == ["echo", "'a'", '"$B"', "\\", "c"]
    assert test.post.always == (Report("junit", "build/*.xml"), Report("archiveArtifacts", "build/**"))
    assert pipeline.post.steps(passed=True) == (Shell("rm -f x"),)
    assert pipeline.post.steps(passed=False) == (Echo("sad"), Shell("rm -f x"))


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("sh 'make'", "make"),
        ('sh "make"', "make"),
        ("sh('make')", "make"),
        ("sh '''make'''", "make"),
        ('sh """make"""', "make"),
        ("sh 'a\\'b\\n\\\\'", "a'b\n\\"),
        ("sh '$HOME ${HOME}'", "$HOME ${HOME}"),
        ('sh "cost: 5$, \\$HOME"', "cost: 5$, $HOME"),
        ("sh '// no comment /* here'", "// no comment /* here"),
        ("sh 'é\\u00e9'", "éé"),
        ("sh 'x' /* one */ // two", "x"),
        ("sh 'x';", "x"),
    ],
)
def test_strings_mean_what_they_mean_in_groovy(text: str, script: str) -> None:
    assert parse(steps(text)).stages[0].steps == (Shell(script),)


def test_windows_line_ends_are_line_ends() -> None:
    assert parse(WHOLE.replace("\n", "\r\n")).stages[0].name == "install"


@pytest.mark.parametrize(
    ("text", "line", "offending", "supported"),
    [
        ("script { x() }", 6, "script", "sh, echo"),
        ('sh "make ${target}"', 6, "make ${target}", "single quotes"),
        ('sh "make $target"', 6, "make $target", "single quotes"),
        ('sh """\nmake\n$target"""', 6, "$target", "single quotes"),
        ("sh 'make", 6, "'make", "close it"),
        ("sh make", 6, "make", "quoted string"),
        ("sh 'a' sh 'b'", 6, "sh", "end of line"),
        ("sh\n'a'", 6, "end of line", "quoted string"),
        ("sh script: 'a', returnStatus: true", 6, "returnStatus", "label"),
        ("sh 'a', script: 'b'", 6, "script", "one quoted string"),
        ("sh label: 'x'", 6, "one quoted string", "script"),
        ("sh 5", 6, "5", "str"),
        ("sh 'a\\q'", 6, "\\q", "\\\\q"),
        ("sh '#!/bin/bash\\nx'", 6, "#!", "/bin/sh"),
        ("sh env.X", 6, ".X", "subset"),
        ("checkout git", 6, "git", "scm"),
        ("retry(0) { sh 'a' }", 6, "retry", "1 or more"),
        ("retry('2') { sh 'a' }", 6, "'2'", "int"),
        ("retry(2)\n{ sh 'a' }", 6, "end of line", "{"),
        ("retry(2) { }", 6, "no steps", "sh 'make test'"),
        ("timeout(time: 0) { sh 'a' }", 6, "timeout", "1 or more"),
        ("timeout(time: 5, unit: 'YEARS') { sh 'a' }", 6, "timeout", "HOURS"),
        ("junit allowEmptyResults: true", 6, "testResults", "quoted string"),
        ("parallel { sh 'a' }", 6, "parallel", "retry"),
        ("echo 'a' + 'b'", 6, "+ 'b'", "subset"),
        ("/* open", 6, "/* open", "*/"),
        ("", 5, "no steps", "sh"),
    ],
)
def test_other_steps_are_refused_with_line_text_and_what_is_supported(
    text: str, line: int, offending: str, supported: str
) -> None:
    with pytest.raises(JenkinsfileError) as refused:
        parse(steps(text))
    message = str(refused.value)
    assert message.startswith(f"Jenkinsfile line {line}: ")
    assert offending in message
    assert supported in message


STAGE = "stage('a') { steps { sh 'x' } }"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "empty"),
        ("  \n\t", "empty"),
        ("// only a comment", "line 1: found 'end of file'; supported here: pipeline"),
        ("node { sh 'x' }", "line 1: found 'node'"),
        ("def x = 1\npipeline { }", "line 1: found 'def'"),
        ("pipeline { }", "no 'agent' section"),
        ("pipeline { agent any }", "no 'stages' section"),
        (f"pipeline {{ stages {{ {STAGE} }} }}", "no 'agent' section"),
        ("pipeline { agent none\n stages { } }", "found 'none'; supported here: any"),
        ("pipeline { agent { docker 'x' } }", "found 'docker'; supported here: label, node"),
        ("pipeline { agent { } }", "line 1: agent needs either label 'name' or node"),
        ("pipeline {\n agent { label 'x'; node { label 'x' } } }", "line 2: agent needs either label"),
        ("pipeline { agent { node { retries 2 } } }", "node needs a label"),
        ("pipeline { agent { node { label 'x'; retries 0 } } }", "retries needs a whole number of 1 or more"),
        ("pipeline { agent { node { label 'x'; retries() } } }", "retries needs a whole number of 1 or more"),
        ("pipeline {\n agent any\n stages { }\n}", "line 3: there are no stages"),
        (
            f"pipeline {{\n agent any\n stages {{ {STAGE} {STAGE} }}\n}}",
            "line 3: found 'stage'; supported here: end",
        ),
        (
            f"pipeline {{\n agent any\n stages {{\n{STAGE}\n{STAGE}\n}}\n}}",
            "line 5: there are two stages 'a'",
        ),
        (
            f"pipeline {{\n agent any\n stages {{\n {STAGE}\n",
            "line 3: the brace '{' opened here is never closed",
        ),
        (f"pipeline {{\n agent any\n stages {{ {STAGE} }}\n}}\n}}", "line 5: found '}'"),
        (f"pipeline {{\n agent any\n stages {{ {STAGE} }}\n}}\nfoo()", "line 5: found 'foo'"),
        (f"pipeline {{\n agent any\n agent any\n stages {{ {STAGE} }}\n}}", "line 3: 'agent' is there twice"),
        (f"pipeline {{ agent any; stages {{ {STAGE} }}; triggers {{ }} }}", "found 'triggers'"),
        ("pipeline\n{\n agent any\n}", "line 1: found 'end of line'; supported here: {"),
        ("pipeline { agent any; stages { stage('a') { } } }", "needs a name and steps"),
        ("pipeline { agent any; stages { stage('') { steps { sh 'x' } } } }", "needs a name and steps"),
        ("pipeline { agent any; stages { stage { steps { sh 'x' } } } }", "found '{'"),
        (
            "pipeline { agent any; stages { stage('a') { when { expression { true } } } } }",
            "found 'expression'",
        ),
        (
            "pipeline { agent any; stages { stage('a') { when { branch 'rel/*' } } } }",
            "plain name, not 'rel/*'",
        ),
        ("pipeline { agent any; stages { stage('a') { when { } } } }", "plain name, not ''"),
        (
            "pipeline { agent any; stages { stage('a') { agent any } } }",
            "found 'agent'; supported here: when",
        ),
        ("pipeline { agent any; options { retry(2) } }", "found 'retry'; supported here: timeout"),
        (
            "pipeline { agent any; options { buildDiscarder(logRotator(daysToKeepStr: '3')) } }",
            "daysToKeepStr",
        ),
        ("pipeline { agent any; options { buildDiscarder(logRotator(numToKeepStr: 'x')) } }", "whole number"),
        ("pipeline { agent any; options { disableConcurrentBuilds(abortPrevious: true) } }", "abortPrevious"),
        ("pipeline { agent any; environment { KEY = credentials('x') } }", "found 'credentials'"),
        ("pipeline { agent any; environment { KEY = 5 } }", "found '5'"),
        (
            f"pipeline {{ agent any; stages {{ {STAGE} }}; post {{ unstable {{ sh 'x' }} }} }}",
            "found 'unstable'",
        ),
        ("pipeline { agent any; stages { stage('a') { steps { sh 'x' } ", "never closed"),
        ("{" * 5000, "line 1: found '{'"),
    ],
)
def test_other_pipelines_are_refused_with_the_reason(source: str, message: str) -> None:
    with pytest.raises(JenkinsfileError) as refused:
        parse(source)
    assert message in str(refused.value)


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    with pytest.raises(JenkinsfileError, match="nested"):
        parse(steps("retry(2) {\n" * 2000))
