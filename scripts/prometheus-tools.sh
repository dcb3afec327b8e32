#!/bin/sh
# Put Debian's promtool and amtool into .tools/bin: unpacked, so that no server starts, now or with a sandbox of the tests.
set -eu
cd "$(dirname "$0")/.."
[ ! -x .tools/bin/amtool ] || exit 0
mkdir -p .tools/bin .tools/debian
tools=$PWD/.tools
cd .tools/debian
apt-get update -qq
apt-get download -qq prometheus prometheus-alertmanager
for package in ./*.deb; do dpkg -x "$package" .; done
rm ./*.deb
for name in promtool amtool; do ln -sf "$tools/debian/usr/bin/$name" "$tools/bin/$name"; done
