#!/usr/bin/env bash
# Rewrite the locks in scripts/lock/ from the two pyproject.toml files.
#
# Usage: scripts/lock.sh [--upgrade | --help]
#   --upgrade   move every pin to the newest version that fits; without it pins stay where they can
#
# requirements.txt pins every runtime and development package for every Python >= 3.11 and every platform, with
# hashes. It names no package index, so it installs from whichever one pip and uv are set up to use. uv.txt pins
# uv itself, which is what a fresh .venv installs first. Needs .venv (make setup).
set -euo pipefail

case "${1:-}" in
  --help | -h)
    sed -n '2,/^set /p' "$0" | sed -e '/^set /d' -e 's/^# \{0,1\}//'
    exit 0
    ;;
  "" | --upgrade) ;;
  *)
    echo "lock: unknown option $1 (see --help)" >&2
    exit 2
    ;;
esac

cd "$(dirname "$0")/.."
uv=.venv/bin/uv

# A machine's own links and indexes must not colour the lock.
unset PIP_FIND_LINKS UV_FIND_LINKS

compile=(
  "$uv" pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes
  --no-emit-index-url --no-emit-find-links --no-header "$@"
)
"${compile[@]}" --no-emit-package stateward --no-emit-package stateward-server \
  pyproject.toml --group pyproject.toml:dev -o scripts/lock/requirements.txt

# The bootstrap pin is the same uv as in the big lock, so setup installs it once.
version="$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' scripts/lock/requirements.txt)"
echo "$version" | "${compile[@]}" - -o scripts/lock/uv.txt

if grep -nE '://|^--' scripts/lock/*.txt; then
  echo "lock: an address or an option leaked into the lock (above)" >&2
  exit 1
fi
