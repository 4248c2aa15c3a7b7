#!/bin/bash
# One command of teekit-verify in a GitHub workflow (action.yml): ARGUMENTS has its words, one on each line. What it prints is
# the step's summary, and its verdict an annotation. With SARIF, a file, its findings go there, and each is an annotation too.
# The step ends as the command does: 0 holds, 1 does not, 2 no verdict.
set -euo pipefail
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
words=()
while IFS= read -r word; do
    [ -z "$word" ] || words+=("$word")
done <<<"$ARGUMENTS"
if [ -n "${SARIF-}" ]; then
    words+=("--sarif=$SARIF")
    rm -f -- "$SARIF" # of an earlier step, and not this one's
fi
output=$(mktemp)
trap 'rm -f -- "$output"' EXIT

# Names in an image are anybody's, and a line that begins with "::" is a command to the runner: not between these two lines.
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
status=0
printf '::stop-commands::%s\n' "$token"
"$root/scripts/teekit-verify" "${words[@]}" 2>&1 | tee -- "$output" || status=$?
printf '\n::%s::\n' "$token"

case $status in
    0) printf '::notice title=teekit-verify::the claim holds\n' ;;
    1) printf '::error title=teekit-verify::the claim does not hold: see the summary of this step\n' ;;
    *) printf '::error title=teekit-verify::no verdict could be reached: see the summary of this step\n' ;;
esac
[ -z "${SARIF-}" ] || [ ! -f "$SARIF" ] || python3 "$root/scripts/github_annotations.py" "$SARIF"
printf 'exit-status=%s\n' "$status" >>"$GITHUB_OUTPUT"
{
    printf '### teekit-verify: exit status %s\n\n<pre>' "$status"
    sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' -- "$output"
    printf '</pre>\n'
} >>"$GITHUB_STEP_SUMMARY"
exit "$status"
