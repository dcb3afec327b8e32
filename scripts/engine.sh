#!/bin/sh
# Docker Engine, Compose and buildx on a fresh Debian machine; changes nothing where they answer. `engine.sh mirror` prints the machine's Debian mirror.
set -eu
fail() { echo "✗ $1" >&2; exit 1; }
reached() { [ "$(printf '%s\n' "$2" "${1#v}" | sort -V | head -n 1)" = "$2" ]; } # version, least version
plugins() { reached "$(docker compose version --short 2>&1)" 2.30 && reached "$(docker buildx version 2>&1 | cut -d' ' -f2)" 0.17; }
mirror() { # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(SITE)' 'Created-By: Packages' |
        awk -v release="$(. /etc/os-release && echo "$VERSION_CODENAME")" '$1 == release && $2 == "main" {print $3; exit}'
}
if [ "${1:-}" = mirror ]; then mirror; exit; fi
if docker info >/dev/null 2>&1 && plugins; then echo "✓ Docker answers"; exit; fi
{ [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; } || fail "No Docker with Compose 2.30 and buildx 0.17 answers. This script installs them as root on Debian only: https://docs.docker.com/engine/install/"
apt-get update -qq || fail "apt-get update failed. Mend the machine's apt sources."
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq --no-install-recommends ca-certificates docker.io iptables mmdebstrap >/dev/null || fail "apt-get could not install docker.io, iptables and mmdebstrap."
if ! plugins; then # Debian 12 has none that is new enough; those of sid need no newer libc
    work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT && mkdir -p "$work/lists/partial" "$work/cache/archives/partial" /usr/local/lib/docker/cli-plugins
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg check-valid-until=no] $(mirror) sid main" >"$work/sources.list"
    apt() { (cd "$work" && apt-get -qq -o APT::Sandbox::User=root -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null "$@"); }
    { apt update && apt download docker-compose docker-buildx; } || fail "Debian sid's docker-compose and docker-buildx could not be fetched from $(mirror)."
    for package in "$work"/*.deb; do dpkg -x "$package" "$work/tree"; done
    find "$work/tree" -path '*/cli-plugins/docker-*' -type f -exec install -m 755 {} /usr/local/lib/docker/cli-plugins/ \;
fi
docker info >/dev/null 2>&1 || setsid dockerd >/var/log/dockerd.log 2>&1 </dev/null &
for _ in $(seq 60); do if docker info >/dev/null 2>&1; then plugins && echo "✓ Docker answers" && exit; fi; sleep 1; done
fail "dockerd did not answer within 60 s: see /var/log/dockerd.log. It needs a machine, or a container with the capabilities SYS_ADMIN and NET_ADMIN."
