#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Python's safetensors reads what we write, and we read what it writes: Python writes a file, we copy it, Python compares.
# And a model predicts the same in Python.
# The Python packages go to an environment in the build directory; where they cannot be had, the test is skipped, and
# says so. Arguments: build directory, safetensors_copy, and the program lanewise where it is built.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
venv=$1/python-venv copy=$2 lanewise=${3-}

skip() {
  echo "SKIPPED, NOT TESTED: the exchange of safetensors files with Python ($*)" >&2
  exit 77
}

if ! "$venv/bin/python3" -c 'import numpy, safetensors' 2>/dev/null; then
  # PyTorch, if this machine has it, is seen from within.
  python3 -m venv --clear --system-site-packages "$venv" || skip "python3 -m venv fails; Debian's package is python3-venv"
  "$venv/bin/pip" install -q --disable-pip-version-check --timeout 15 --retries 1 numpy safetensors ||
    skip "pip could not install numpy and safetensors"
fi
"$venv/bin/python3" -B safetensors_python_test.py "$copy"
if [[ $lanewise ]]; then "$venv/bin/python3" -B model_python_test.py "$lanewise"; fi
