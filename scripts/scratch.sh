#!/bin/sh
# For other scripts to source: temporary folders, and room for them. TEEKIT_SCRATCH is where they are, /var/tmp unless it is set.
set -eu
scratches=${TEEKIT_SCRATCH:-/var/tmp}

# Makes a folder and puts its path into $scratch: a short one, as sockets are made below, whose paths have 107 bytes. It is
# held, by descriptor 9, for as long as this shell or anything that it starts lives, also against systemd-tmpfiles. What
# earlier runs left and nobody holds is removed first.
take_scratch() {
    # Nobody may take a folder for abandoned between its making and its holding.
    exec 8<"$scratches"
    if flock --timeout 60 8; then remove_abandoned; fi
    scratch=$(mktemp -d "$scratches/teekit.XXXX")
    exec 9<"$scratch"
    flock --shared 9
    exec 8<&-
}

remove_abandoned() {
    for left in "$scratches"/teekit.* "$scratches"/teekit-root.*; do
        # shellcheck disable=SC3067 # dash and bash have -O: ours, not somebody else's of that name
        if [ -h "$left" ] || [ ! -O "$left" ]; then
            continue
        elif [ -d "$left" ]; then
            flock --nonblock "$left" rm -rf --one-file-system -- "$left" || :
        fi
    done
}

# Says what is missing and fails, unless the disks have room: require_space PURPOSE GIB FOLDER [GIB FOLDER]...
# Folders on one file system need the sum. A folder that is not there yet counts where it will be.
require_space() {
    purpose=$1 wanted='' && shift
    while [ $# -gt 0 ]; do
        folder=$2
        while [ ! -d "$folder" ]; do folder=$(dirname -- "$folder"); done
        found=$(LC_ALL=C df -Pk -- "$folder") || return
        wanted="$wanted
$1 $(printf '%s\n' "$found" | sed -n '$p')"
        shift 2
    done
    # df: file system, its size, what is used, what is free, how full, where it is mounted
    short=$(printf '%s\n' "$wanted" | awk -v purpose="$purpose" '
        NF { need[$NF] += $1; free[$NF] = $5 / 1048576 }
        END {
            said = "error: %s needs %d GiB free on the disk of %s, which has %.1f\n"
            for (place in need)
                if (free[place] < need[place]) {
                    printf said, purpose, need[place], place, free[place]
                    printf "hint: free some space there, and run this again\n"
                }
        }') || return
    [ -z "$short" ] || { printf '%s\n' "$short" >&2 && return 1; }
}
