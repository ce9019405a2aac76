#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# qemu.sh BUILD: runs `lanewise` of a build directory on emulated CPUs, older or odder than this one. Each must get its
# right tier, say what it lacks, give a model's answers as this CPU does, and never meet an instruction that it does not
# have. Exits 77 (skipped) without qemu-x86_64.
set -euo pipefail

program=$1/cli/lanewise
qemu=$(command -v qemu-x86_64) || {
  echo "SKIPPED: qemu-x86_64 not found (Debian: qemu-user); dispatch was not tried on other CPUs"
  exit 77
}
unset LANEWISE_ISA LANEWISE_THREADS OMP_NUM_THREADS
failures=0

model=$(mktemp)
trap 'rm -f "$model"' EXIT
"$program" train --samples 2000 --epochs 3 --out "$model" >/dev/null 2>&1
# What evaluates it; the same digits everywhere.
evaluate=(evaluate "$model" --samples 300 --json)
native=$("$program" "${evaluate[@]}" 2>/dev/null | grep '"accuracy"')

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# on CPU ARGUMENT...: its output; qemu's own warnings are dropped.
on() {
  "$qemu" -cpu "$1" "$program" "${@:2}" 2> >(grep -v '^qemu-x86_64: warning' >&2)
}

# expect CPU TIER BITS...: CPU gets TIER; avx512 is refused with exit code 5, naming each of BITS.
expect() {
  local cpu=$1 tier=$2 out code
  shift 2
  echo "$cpu: $tier"
  for command in info kernels; do
    out=$(on "$cpu" "$command" 2>&1) || fail "$cpu: $command exits $?: $out"
    # Every kernel's line, and info's own, give the tier.
    out=$(on "$cpu" "$command" --json) || fail "$cpu: $command --json exits $?"
    [[ $(grep '"chosen": ' <<<"$out" | sort -u | tr -d ' ,') == "\"chosen\":\"$tier\"" ]] ||
      fail "$cpu: $command does not choose $tier: $(grep '"chosen": ' <<<"$out" | sort | uniq -c)"
    code=0
    out=$(LANEWISE_ISA=avx512 on "$cpu" "$command" 2>&1) || code=$?
    [[ $code == 5 ]] || fail "$cpu: LANEWISE_ISA=avx512 $command exits $code"
    for bit in "$@"; do
      grep -q "^error: LANEWISE_ISA: .*tier 'avx512'; missing: .*$bit" <<<"$out" || fail "$cpu: $bit is not named: $out"
    done
  done
  out=$(on "$cpu" "${evaluate[@]}" 2>/dev/null) || fail "$cpu: evaluate exits $?"
  grep -q "\"tier\": \"$tier\"" <<<"$out" || fail "$cpu: evaluate does not run on $tier: $out"
  [[ $(grep '"accuracy"' <<<"$out") == "$native" ]] || fail "$cpu: the accuracy is not the native one,$native: $out"
  out=$(on "$cpu" verify "$model" 2>&1) || fail "$cpu: the model's golden cases do not come out: $out"
}

expect Nehalem sse4 avx2 fma os-ymm avx512f os-zmm
expect Haswell avx2 avx512f avx512vl avx512dq avx512bw os-zmm
# The CPU has AVX2, but no operating system can save its registers.
expect Haswell,-xsave sse4 os-ymm avx512f os-zmm
expect max avx2 avx512f os-zmm

[[ $failures == 0 ]]
