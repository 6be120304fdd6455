#!/bin/sh
# Installs the real servers that tests talk to, where that is possible; tests that miss one skip and say so.
set -eu

install_postgresql() {
    if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then return; fi
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "PostgreSQL is not installed: the tests on it are skipped (Debian: apt-get install postgresql)."
        return
    fi
    (apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql) >/dev/null ||
        echo "PostgreSQL could not be installed: the tests on it are skipped."
}

install_postgresql
