#!/usr/bin/env bash
# Puts REPORT on pull request NUMBER of GITHUB_REPOSITORY: into the comment that an earlier run made, or into a new one.
set -euo pipefail

mark=$(head -n 1 "$REPORT")
body=$(mktemp)
head -c 65000 "$REPORT" > "$body" # a comment has at most 65,536 characters
comments=repos/$GITHUB_REPOSITORY/issues

put() {
  local id
  id=$(gh api --paginate "$comments/$NUMBER/comments" --jq ".[] | select(.body | startswith(\"$mark\")) | .id" | head -n 1)
  if [ -n "$id" ]; then
    gh api --method PATCH "$comments/comments/$id" --field "body=@$body" > /dev/null
  else
    gh api --method POST "$comments/$NUMBER/comments" --field "body=@$body" > /dev/null
  fi
}

# The token of a pull request from a fork may not write: the answer is in the job's summary all the same.
put || echo "::warning::the comment could not be written; the summary of the job has the answer"
