#!/usr/bin/env bash
# Puts REPORT on pull request NUMBER of GITHUB_REPOSITORY: into the comment that an earlier run made, or into a new one.
# Ours is the comment of the token's own user that begins with the mark: the first line of the report.
set -euo pipefail

mark=$(head -n 1 "$REPORT")
body=$(mktemp)
cp "$REPORT" "$body"
if [ "$(wc -c < "$REPORT")" -gt 65000 ]; then # a comment has at most 65,536 characters
  head -c 65000 "$REPORT" | sed '$d' > "$body" # without the line that is cut, perhaps inside a character
  if [ $(($(grep -c '^```' "$body" || true) % 2)) = 1 ]; then echo '```' >> "$body"; fi
  printf '\nThis comment is cut; the summary of the job has the whole answer.\n' >> "$body"
fi
comments=repos/$GITHUB_REPOSITORY/issues

# Joined by &&, for `set -e` does not hold in a function whose status is asked for: without a list nothing may be written.
put() {
  local me list id
  me=$(gh api graphql --raw-field 'query={viewer{login}}' --jq .data.viewer.login) &&
    list=$(gh api --paginate "$comments/$NUMBER/comments" \
      --jq '.[] | [.id, .user.login, ((.body // "") | split("\n")[0] | rtrimstr("\r"))] | @tsv') &&
    id=$(me=$me mark=$mark awk -F '\t' '$2 == ENVIRON["me"] && $3 == ENVIRON["mark"] && !n++ { print $1 }' <<< "$list") &&
    if [ -n "$id" ]; then
      gh api --method PATCH "$comments/comments/$id" --field "body=@$body" > /dev/null
    else
      gh api --method POST "$comments/$NUMBER/comments" --field "body=@$body" > /dev/null
    fi
}

# The token of a pull request from a fork may not write: the answer is in the job's summary all the same.
put || echo "::warning::the comment could not be written; the summary of the job has the answer"
