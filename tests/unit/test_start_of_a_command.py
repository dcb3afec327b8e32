"""What every command loads before it does anything: people wait for that each time."""

import subprocess
import sys

HEAVY = ("numpy", "minio", "uniplot")


def test_only_commands_that_use_them_load_heavy_libraries() -> None:
    asked = f"import sys, sandbox.cli; print([name for name in {HEAVY} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
