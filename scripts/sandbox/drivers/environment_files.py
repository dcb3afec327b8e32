"""The same values as files: dotenv for Python, raw lines for Compose's `env_file` with `format: raw`."""

from collections.abc import Mapping

from sandbox.errors import SettingsError


def render_dotenv(values: Mapping[str, str]) -> str:
    """dotenv's own quoting, so that any path and any password reads back as it is."""
    quoted = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in values.items()}
    return "".join(f"{name}='{value}'\n" for name, value in quoted.items())


def render_raw(values: Mapping[str, str]) -> str:
    """Values as they are. Raises SettingsError for one with a line break."""
    for name, value in values.items():
        if "\n" in value or "\r" in value:
            raise SettingsError(f"{name} holds a line break.", "Edit .env, then: make up")
    return "".join(f"{name}={value}\n" for name, value in values.items())
