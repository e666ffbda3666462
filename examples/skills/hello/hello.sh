#!/bin/sh
set -eu

echo "hello $1, for the slot of $HOLDFAST_SLOT (attempt $HOLDFAST_ATTEMPT)"

# The key is the same in every attempt of this run: whoever acts on it can tell a second try from a second task.
printf '{ "greeted": "%s", "key": "%s", "summary": "Said hello to %s." }\n' "$1" "$HOLDFAST_IDEMPOTENCY_KEY" "$1" > "$HOLDFAST_RESULT"
