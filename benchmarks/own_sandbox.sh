#!/bin/sh
# Run a benchmark on an embedded sandbox of its own, made from a copy of this tree and deleted at the end:
#   own_sandbox.sh push_to_served.py --rounds 3
# Lines for its .env before the first start: BENCH_SETTINGS.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d "${TMPDIR:-/tmp}/bench-XXXXXX")
finish() {
    if [ -e "$scratch/.sandbox" ] && ! "$scratch/.venv/bin/sandbox" destroy --yes; then
        echo "! $scratch may still run; delete it by: cd $scratch && .venv/bin/sandbox destroy" >&2
        return
    fi
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM
git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -cf - -T - | tar -xf - -C "$scratch"
[ ! -d .tools ] || cp -R .tools "$scratch"
cd "$scratch"
printf '%s\n' DRIVER=embedded "${BENCH_SETTINGS:-}" >.env
chmod 600 .env
make up
script=$1
shift
.venv/bin/python "benchmarks/$script" "$@"
