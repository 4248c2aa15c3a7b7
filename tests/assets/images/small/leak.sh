#!/bin/sh
# What a build that is not reproducible writes into its image: leak.sh VARIATION. Each kind is seen by that variation alone.
set -eu
case $1 in
    build_path) pwd ;;
    domain_host) hostname ;;
    timezone) date --date=@0 +%H:%M ;;
    locales) printf 's\nt\nu\nz\n' | sort ;;
    umask)
        mkdir -p "${TMPDIR:-/tmp}/leak/made"
        stat --format=%a "${TMPDIR:-/tmp}/leak/made"
        ;;
    num_cpus) nproc ;;
    home) echo ~ ;;
    exec_path) echo "$PATH" ;;
    environment) date --utc --date="@${SOURCE_DATE_EPOCH-0}" +%F ;;
    # Where the program lies in memory: what a table hashed by address, or bytes that were never set, give away.
    aslr) head -n 1 /proc/self/maps ;;
    # As a wildcard of make, readdir(3) or find give them.
    fileordering) ls -U files ;;
    user_group) cat /proc/self/uid_map ;;
    *) exit 2 ;;
esac
