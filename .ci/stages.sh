# SPDX-License-Identifier: Apache-2.0
#
# What .ci/run and .ci/nightly share: stages, the first failure of which ends the run, and a summary with their times.

times=()
current=

# stage NAME COMMAND...
stage() {
  current=$1
  shift
  local begin=$SECONDS
  heading "$current"
  "$@"
  times+=("$(printf 'ok      %3d:%02d  %s' $(((SECONDS - begin) / 60)) $(((SECONDS - begin) % 60)) "$current")")
  current=
}

summary() {
  local status=$?
  heading "Summary"
  ((${#times[@]})) && printf '%s\n' "${times[@]}"
  [[ -z $current ]] || echo "FAILED          $current"
  exit $status
}
trap summary EXIT

# with PRESET: builds a preset and runs its tests.
with() {
  build "$1"
  ctest --preset "$1" -j "$JOBS" --no-tests=error
}
