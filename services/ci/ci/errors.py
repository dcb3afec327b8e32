"""Everything that may go wrong as expected: `cli.main` prints the sentence and exits 1."""


class CiError(Exception):
    """An expected failure: one sentence that says what, where and how to mend."""


class SettingsError(CiError):
    """A setting is missing or wrong."""


class UsageError(CiError):
    """A command was called with words that it does not take; exit 2."""


class UnknownRepository(CiError):
    """No bare repository of that name."""


class NameRefused(CiError):
    """No organisation or repository may have that name here."""


class NameTaken(CiError):
    """An organisation or repository of that name is there already."""


class GitError(CiError):
    """A git command failed."""


class JenkinsfileError(CiError):
    """The Jenkinsfile is missing or outside the subset that is read here."""


class ImageError(CiError):
    """An image cannot be built, found or stored."""


class DeliverError(CiError):
    """Airflow did not take what it was given, or a run of it failed."""


class GiteaError(CiError):
    """Gitea refused a request, or something else answers at its address."""


class CatchUpError(CiError):
    """A missed push could not be looked for, or CI did not take it."""


class PayloadError(CiError):
    """A webhook's body is not a push."""


class StepFailed(CiError):
    """A step ended with an error."""


class StepTimedOut(StepFailed):
    """A step ran into its time limit."""


class Stopped(CiError):
    """The server is ending; the build runs again at its next start."""
