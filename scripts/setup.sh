#!/bin/sh
# Makes .venv from requirements.txt, installs this project into it and prepares the models. Does nothing when that is done.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"
stamp=.venv/ready
wanted=$(cat requirements.txt pyproject.toml scripts/setup.sh | cksum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0

# The interpreter to build with: $PYTHON if it is given, else the first suitable one.
python=
for candidate in ${PYTHON:-} python3.11 python3.12 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "photo-anonymizer needs Python 3.11 or 3.12; install one, or name it: PYTHON=/path/to/python3.11 ./anonymize" >&2
    exit 1
fi

say() { printf '%s\n' "$*" >&2; }
log=$(mktemp "${TMPDIR:-/tmp}/photo-anonymizer-setup.XXXXXX")
failed() {
    tail -n 15 "$log" >&2
    say "Set-up failed at: $1. The whole log is $log; run the same command again when the cause is mended."
    exit 1
}

say "Setting up (once, some minutes) …"
if ! .venv/bin/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
    rm -rf .venv
    say "  virtual environment"
    "$python" -m venv .venv >"$log" 2>&1 || failed "the virtual environment (on Debian and Ubuntu: apt install python3-venv)"
fi
say "  packages from requirements.txt"
.venv/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r requirements.txt >"$log" 2>&1 ||
    failed "the packages"
.venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e . >"$log" 2>&1 ||
    failed "this project itself"
say "  models"
.venv/bin/photo-anonymizer models --prepare >"$log" 2>&1 || failed "the models"
rm -f "$log"
printf '%s\n' "$wanted" >"$stamp"
say "Ready."
