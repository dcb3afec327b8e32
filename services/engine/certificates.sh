#!/bin/sh
# Make an authority with a server and a client certificate below $1 where they are missing or end within 30 days.
# Clients mount $1/client; the authority's key is thrown away, so nobody can sign a second client.
# Key usage and key identifiers are there because Python 3.13 asks every certificate for them (RFC 5280).
set -eu
valid() { openssl x509 -noout -checkend 2592000 -in "$1" >/dev/null 2>&1; }
sign() { # name, subject, extensions
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -subj "/CN=$2" -out "$1.csr" 2>/dev/null
    printf '%s\n' keyUsage=critical,digitalSignature subjectKeyIdentifier=hash authorityKeyIdentifier=keyid "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 825 -extfile "$1.ext" -out "$1.pem" 2>/dev/null
}
place() { # name, folder, mode of the key
    mkdir -p "$2"
    cp ca.pem "$2/ca.pem"
    cp "$1.pem" "$2/cert.pem"
    cp "$1.key" "$2/key.pem"
    chmod "$3" "$2/key.pem"
}
if valid "$1/server/cert.pem" && valid "$1/client/cert.pem"; then exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj "/CN=mlops-sandbox engine" -days 825 \
    -addext "keyUsage=critical,keyCertSign" -out ca.pem 2>/dev/null
sign server engine "subjectAltName=DNS:engine,DNS:localhost,IP:127.0.0.1"
sign client client "extendedKeyUsage=clientAuth"
place server "$1/server" 400
place client "$1/client" 444 # read by the users of other containers, whose ids differ
