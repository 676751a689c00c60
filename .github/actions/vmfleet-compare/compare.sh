#!/usr/bin/env bash
# Compares each scenario that differs from commit BASE with what it was there, and writes the answer as Markdown.
# Reads SCENARIOS, INPUTS and FAIL_IF (one a line), REPLICATIONS, BASE, EVENT_BASE; sets the outputs `report` and `status`.
set -euo pipefail

base=$BASE
if [ -z "$base" ] && [ "${GITHUB_EVENT_NAME:-}" = pull_request ] && [ "$(git rev-parse HEAD)" = "${GITHUB_SHA:-}" ]; then
  # The merge commit's first parent: the event's base may be older. A shallow clone knows its name, too.
  base=$(git cat-file commit HEAD | sed -n '/^$/q; s/^parent //p' | sed -n 1p)
fi
base=${base:-$EVENT_BASE}
if [ -z "$base" ]; then
  echo "::error::the input \`base\` is empty, and this event is of no pull request: name the commit to compare with" >&2
  exit 2
fi
if ! commit=$(git rev-parse --quiet --verify "$base^{commit}"); then # a shallow clone
  git fetch --quiet --no-tags --depth=1 origin "$base"
  commit=$(git rev-parse FETCH_HEAD)
fi

place=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/vmfleet.XXXXXX")
report=$place/report.md
status=0
# A second use of the action, in another job or with other inputs, has another mark, and so a comment of its own.
use=("${GITHUB_WORKFLOW:-}" "${GITHUB_JOB:-}" "$SCENARIOS" "${INPUTS:-}" "${FAIL_IF:-}" "${REPLICATIONS:-}" "$BASE")
echo "<!-- vmfleet compare $(printf '%s\0' "${use[@]}" | git hash-object --stdin) -->" > "$report"
git worktree add --quiet --detach "$place/base" "$commit" # whole: a scenario may read files beside it
trap 'git worktree remove --force "$place/base"' EXIT

patterns=() inputs=()
while IFS= read -r line; do
  [ -z "$line" ] || patterns+=(":(glob)$line")
done <<< "$SCENARIOS"
while IFS= read -r line; do
  [ -z "$line" ] || inputs+=(":(glob)$line")
done <<< "${INPUTS:-}"
options=(--no-report --markdown)
[ -z "${REPLICATIONS:-}" ] || options+=(--replications "$REPLICATIONS")
while IFS= read -r line; do
  [ -z "$line" ] || options+=(--fail-if "$line")
done <<< "${FAIL_IF:-}"

# Shows the answer of a command with its warnings, and keeps the worst status: an error before a condition that is met.
answer() {
  local own=0
  "$@" "${options[@]}" --out "$place/out" > "$place/said" 2> "$place/problem" || own=$?
  cat "$place/said" >> "$report"
  if [ -s "$place/problem" ]; then printf '\n```text\n%s\n```\n\n' "$(cat "$place/problem")" >> "$report"; fi
  if [ "$own" != 0 ] && { [ "$status" = 0 ] || [ "$status" = 3 ]; }; then status=$own; fi
}

# The scenarios that were changed; all if a file that they read was.
files() {
  git diff --name-only --no-renames -z "$commit" HEAD -- "${patterns[@]}"
  if [ ${#inputs[@]} != 0 ] && ! git diff --quiet --no-renames "$commit" HEAD -- "${inputs[@]}"; then
    git ls-files -z -- "${patterns[@]}"
  fi
}

changed=0
while IFS= read -r -d '' file; do
  changed=$((changed + 1))
  printf '## `%s`\n\n' "$file" >> "$report"
  if [ ! -e "$file" ]; then
    printf 'Removed.\n\n' >> "$report"
  elif [ ! -e "$place/base/$file" ]; then
    answer vmfleet run "./$file"
  else
    answer vmfleet compare "$place/base/$file" "./$file"
  fi
done < <(files | LC_ALL=C sort -zu)
[ "$changed" != 0 ] || printf 'No scenario file was changed.\n' >> "$report"

cat "$report" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
printf 'report=%s\nstatus=%s\n' "$report" "$status" >> "${GITHUB_OUTPUT:-/dev/stdout}"
