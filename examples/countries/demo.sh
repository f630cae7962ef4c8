#!/bin/sh
# The whole example: gates, flow, gates. Stops at the first that does not let through, with its exit code.
set -eu
cd "$(dirname "$0")"
PATH="$PWD/../../.venv/bin:$PATH"

step() {
  printf '\n$ %s\n' "$*"
  "$@"
}

step gatekeeper run pre
step python flow.py "$@"
step gatekeeper run post
