#!/usr/bin/env bash
# Make .venv: find a Python, install the pinned uv, sync the locked packages, install our two packages editable.
#
# Usage: scripts/setup.sh [--help]
#   PYTHON=/path/to/python3.12   use this interpreter instead of searching the PATH
#
# Needs a Python >= 3.11 with ensurepip, and a package index that pip can reach. Every download is checked
# against the hashes in scripts/lock/. `make setup` calls this when a lock or a pyproject.toml has changed.
set -euo pipefail

if [[ "${1:-}" == "--help" || "${1:-}" == "-h" ]]; then
  sed -n '2,/^set /p' "$0" | sed -e '/^set /d' -e 's/^# \{0,1\}//'
  exit 0
fi

cd "$(dirname "$0")/.."
venv=.venv

die() {
  echo "setup: $*" >&2
  exit 1
}

# Runs the interpreter, because a name on the PATH may be a version manager's shim with nothing behind it.
new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

has_ensurepip() {
  "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

choose_python() {
  local candidate no_ensurepip=""
  if [[ -n "${PYTHON:-}" ]]; then
    new_enough "$PYTHON" || die "PYTHON=$PYTHON does not run or is older than 3.11"
    has_ensurepip "$PYTHON" || no_ensurepip="$PYTHON"
    [[ -z "$no_ensurepip" ]] && echo "$PYTHON" && return
  else
    for candidate in python3.13 python3.12 python3.11 python3; do
      new_enough "$candidate" || continue
      has_ensurepip "$candidate" && echo "$candidate" && return
      no_ensurepip="${no_ensurepip:-$candidate}"
    done
  fi
  [[ -n "$no_ensurepip" ]] && die "$no_ensurepip has no ensurepip, so it cannot make a virtual environment." \
    "On Debian or Ubuntu install python3-venv (or python3.x-venv); elsewhere install Python with its venv module."
  die "no Python >= 3.11 found (tried python3.13, python3.12, python3.11, python3). Install one, or say" \
    "make setup PYTHON=/path/to/python3"
}

if [[ -n "${PYTHON:-}" ]] || ! new_enough "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  python="$(choose_python)"
  wanted="$("$python" -c 'import sys; print(sys.version_info[:2])')"
  actual="$("$venv/bin/python" -c 'import sys, pip; print(sys.version_info[:2])' 2>/dev/null || true)"
  if [[ "$wanted" != "$actual" ]]; then
    echo "setup: making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
  fi
fi

"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r scripts/lock/uv.txt

export VIRTUAL_ENV="$PWD/$venv"
"$venv/bin/uv" pip sync --no-config --require-hashes scripts/lock/requirements.txt
"$venv/bin/uv" pip install --no-config --quiet --no-deps --no-build-isolation -e sdk/python -e .
