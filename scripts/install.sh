#!/bin/sh
# Make .venv with the `sandbox` command; get uv first where it is missing (into .tools).
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"
if ! command -v uv >/dev/null; then
    echo "· installing uv into .tools"
    { python3 -m venv .tools && .tools/bin/pip install --quiet uv; } ||
        { curl -LsSf -o .tools-install.sh https://astral.sh/uv/install.sh &&
            UV_UNMANAGED_INSTALL="$PWD/.tools/bin" sh .tools-install.sh && rm .tools-install.sh; } ||
        { echo "uv could not be installed. Install it by hand (https://docs.astral.sh/uv), then run make again." >&2; exit 1; }
fi
echo "· installing the sandbox command into .venv"
uv venv --quiet --allow-existing --python '>=3.11' .venv
uv pip sync --quiet --python .venv --require-hashes requirements.lock
uv pip install --quiet --python .venv --no-deps --editable .
touch .venv/bin/sandbox
