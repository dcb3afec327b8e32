#!/bin/sh
# Run sshd as the user `jenkins`, for the one key in JENKINS_AGENT_SSH_PUBKEY.
set -eu
: "${JENKINS_AGENT_SSH_PUBKEY:?must hold the public key with which Jenkins logs in}"
# For these files alone: every session of sshd takes over its umask, and images are made in sessions.
(
    umask 077
    mkdir -p "$HOME/.ssh"
    printf '%s\n' "$JENKINS_AGENT_SSH_PUBKEY" > "$HOME/.ssh/authorized_keys"
    # A session of sshd has none of the container's variables. Jenkins reads this file where it starts its own program
    # (jenkins/casc/agents.yaml): what a session knows before, passwords included, it would write into its log.
    (unset HOSTNAME PWD OLDPWD SHLVL JENKINS_AGENT_SSH_PUBKEY && export -p > "$HOME/build-environment")
    key=/var/lib/jenkins-agent/ssh_host_ed25519_key
    [ -f "$key" ] || ssh-keygen -q -t ed25519 -N '' -f "$key"
)
exec /usr/sbin/sshd -D -e
