#!/bin/sh
# Make the data folder on the first start, then become the server. root has no password and enters by the socket alone.
set -eu
case "${1:--}" in -*) set -- mysqld "$@" ;; esac
if [ "$(id -u)" = 0 ]; then
    chown mysql:mysql /var/lib/mysql
    exec setpriv --reuid=mysql --regid=mysql --clear-groups "$0" "$@"
fi
if [ "$1" = mysqld ] && [ ! -d /var/lib/mysql/mysql ]; then
    mysqld --initialize-insecure --datadir=/var/lib/mysql
fi
exec "$@"
