#!/bin/sh
# Checks that the files of mkosi/ have the modes git gives them: 0644, or 0755 for executables and folders. Builds see no
# others, so a lost x bit would change the image, and any other mode would not get there. --fix sets them.
# Exit status: 0 they are right (now), 1 they are not, 2 no answer.
set -eu
cd -- "$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")"
case ${1-} in
    '' | --fix) fix=${1-} ;;
    *) printf 'usage: %s [--fix]\n' "$0" >&2 && exit 2 ;;
esac

tracked=$(git -c core.quotePath=off ls-files --stage -- mkosi) || tracked=
[ -n "$tracked" ] || { printf 'error: git tracks no files in mkosi/\nhint: run this in a clone\n' >&2 && exit 2; }

# Asked for before they are read: the failure of a program at the head of a pipe would be lost.
untracked=$(git -c core.quotePath=off ls-files --others --exclude-standard -- mkosi)
folders=$(find mkosi -type d -printf '755 %p\n')
folders=$(printf '%s\n' "$folders" | LC_ALL=C sort)

# Lines "MODE PATH": what every tracked file and every folder should have.
expected_modes() {
    printf '%s\n' "$tracked" | while read -r git_mode _ _ path; do
        case $git_mode in
            100755) printf '755 %s\n' "$path" ;;
            100644) printf '644 %s\n' "$path" ;;
        esac
    done
    # What git has not been told of yet is executable or not as it lies there.
    printf '%s\n' "$untracked" | while read -r path; do
        if [ -z "$path" ] || [ -h "$path" ]; then continue; fi
        if [ -x "$path" ]; then printf '755 %s\n' "$path"; else printf '644 %s\n' "$path"; fi
    done
    printf '%s\n' "$folders"
}

expected=$(expected_modes)
wrong=$(printf '%s\n' "$expected" | while read -r mode path; do
    found=$(stat -c %a -- "$path" 2>/dev/null) || continue # deleted in the work tree
    [ "$found" = "$mode" ] || printf '%s %s %s\n' "$mode" "$found" "$path"
done)
[ -n "$wrong" ] || exit 0
printf '%s\n' "$wrong" | while read -r mode found path; do
    if [ -n "$fix" ]; then
        chmod "$mode" -- "$path" && printf 'fixed: %s was %s, is %s\n' "$path" "$found" "$mode"
    else
        printf '%s is %s, expected %s\n' "$path" "$found" "$mode"
    fi
done
[ -n "$fix" ] || { printf 'hint: run %s --fix\n' "$0" >&2 && exit 1; }
