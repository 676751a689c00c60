#!/usr/bin/env bash
# Compares each scenario that differs from commit BASE with what it was there, and writes the answer as Markdown.
# Reads SCENARIOS and FAIL_IF (one a line), REPLICATIONS, BASE; sets the outputs `report` and `status`.
set -euo pipefail

place=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/vmfleet.XXXXXX")
report=$place/report.md
status=0
echo '<!-- vmfleet compare -->' > "$report"

if ! git cat-file -e "$BASE^{commit}" 2> /dev/null; then # a shallow clone
  git fetch --quiet --no-tags --depth=1 origin "$BASE"
fi
git worktree add --quiet --detach "$place/base" "$BASE" # whole: a scenario may read files beside it
trap 'git worktree remove --force "$place/base"' EXIT

patterns=()
while IFS= read -r line; do
  [ -z "$line" ] || patterns+=(":(glob)$line")
done <<< "$SCENARIOS"
options=(--no-report --markdown)
[ -z "${REPLICATIONS:-}" ] || options+=(--replications "$REPLICATIONS")
while IFS= read -r line; do
  [ -z "$line" ] || options+=(--fail-if "$line")
done <<< "${FAIL_IF:-}"

# Shows the answer of a command, and keeps the worst status: an error before a condition that is met.
answer() {
  local own=0
  "$@" "${options[@]}" --out "$place/out" > "$place/said" 2> "$place/problem" || own=$?
  cat "$place/said" >> "$report"
  if [ "$own" != 0 ]; then
    printf '\n```text\n%s\n```\n\n' "$(cat "$place/problem")" >> "$report"
    if [ "$status" = 0 ] || [ "$status" = 3 ]; then status=$own; fi
  fi
}

changed=0
while IFS= read -r -d '' kind && IFS= read -r -d '' file; do
  changed=$((changed + 1))
  printf '## `%s`\n\n' "$file" >> "$report"
  case $kind in
    A) answer vmfleet run "$file" ;;
    D) printf 'Removed.\n\n' >> "$report" ;;
    *) answer vmfleet compare "$place/base/$file" "$file" ;;
  esac
done < <(git diff --name-status --no-renames -z "$BASE" HEAD -- "${patterns[@]}")
[ "$changed" != 0 ] || printf 'No scenario was changed.\n' >> "$report"

cat "$report" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
printf 'report=%s\nstatus=%s\n' "$report" "$status" >> "${GITHUB_OUTPUT:-/dev/stdout}"
