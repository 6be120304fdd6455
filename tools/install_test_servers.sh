#!/bin/sh
# Installs the real programs that tests run against, where that is possible; tests that miss one skip and say so.
set -eu

# install PACKAGE NAME: Debian's package, unless it is there
install() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$2 is not installed: the tests on it are skipped (Debian: apt-get install $1)."
        return
    fi
    (apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$1") >/dev/null ||
        echo "$2 could not be installed: the tests on it are skipped."
}

ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || install postgresql PostgreSQL
command -v chromium >/dev/null || install chromium Chromium
command -v java >/dev/null || install openjdk-17-jre-headless Java
