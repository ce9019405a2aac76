#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Looks into the archive: what it needs at link time, and that instructions beyond the baseline stand only in functions
# compiled for a tier that has them. Arguments: the archive, then nm and objdump of its architecture.

set -euo pipefail
archive=$1 nm=${2:-nm} objdump=${3:-objdump}

failed=0
# report TEXT LINES: a failure, if there are lines.
report() {
  [[ -n $2 ]] || return 0
  printf 'FAILED: %s:\n%s\n' "$1" "$(head -20 <<<"$2")"
  failed=1
}

# Functions of libm differ between CPUs and C libraries; only square root, fma and the likes
# of ceil (which fmt uses) are exact everywhere.
undefined=$("$nm" --undefined-only --format=posix "$archive" | awk 'NF >= 2 { print $1 }' | sort -u)
[[ -n $undefined ]] || report "nm shows nothing" "$archive"
libm='(a?(sin|cos|tan)h?|atan2|exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|cbrt|hypot|erfc?|[lt]gamma|j[01n]|y[01n]'
libm+='|l?l?rint|nearbyint|l?l?round|fmod|remainder|fdim|fmax|fmin|ldexp|scalbl?n|nextafter|fe[a-z]+)[fl]?'
report "it needs functions of libm" "$(grep -xE "_*$libm(_finite)?" <<<"$undefined" || true)"
report "it needs symbols of Highway" "$("$nm" --demangle --undefined-only "$archive" | grep 'U hwy::' || true)"
report "it needs symbols of fmt" "$("$nm" --demangle --undefined-only "$archive" | grep 'U fmt::' || true)"

# "function<TAB>instruction" of every instruction that the tiers' functions alone may have.
beyond_baseline() {
  "$objdump" --disassemble --demangle --no-show-raw-insn "$archive" | awk '
    BEGIN {
      vex = "^(v[a-z0-9]+|k(and|andn|mov|not|or|ortest|shift|test|unpck|xn?or)[a-z]*[bwdq]|andn|bextr|bls(i|r|msk)|bzhi|mulx|pdep|pext|rorx|s(ar|hl|hr)x|lzcnt)$"
      sse4 = "^(pshufb|palignr|pabs[bwd]|pmulhrsw|psign[bwd]|pmaddubsw|ph(add|sub)s?[wd]|pblend(w|vb)|blendv?p[sd]|dpp[sd]|insertps|extractps|pextr[bdq]|pinsr[bdq]|round[ps][sd]|ptest|pmov[sz]x[bwdq]+|pm(in|ax)(sb|sd|uw|ud)|pmul(ld|dq)|pcmp(eq|gt)q|packusdw|popcnt|crc32[bwlq]?|addsubp[sd]|h(add|sub)p[sd]|movddup|movs[hl]dup|lddqu)$"
    }
    /^[0-9a-f]+ <.*>:$/ { name = $0; sub(/^[0-9a-f]+ </, "", name); sub(/>:$/, "", name); next }
    $2 == "verr" || $2 == "verw" { next }
    $2 ~ vex && name !~ /N_AVX[23]::/ { print name "\t" $0 }
    $2 ~ sse4 && name !~ /N_(SSE4|AVX[23])::/ { print name "\t" $0 }'
}

# Not `| grep -q`: it leaves early, and with pipefail objdump's broken pipe would skip the check.
# tzcnt is not in the list: compilers write `rep bsf`, which runs on every CPU, for a count of trailing zeros.
if [[ $("$objdump" --file-headers "$archive") == *x86-64* ]]; then
  report "instructions beyond the baseline outside the tiers' functions" "$(beyond_baseline)"
  # The look itself must be able to see something.
  [[ $("$objdump" -d --demangle --no-show-raw-insn "$archive" | grep -cE '\sv[a-z]+.*%[yz]mm') -gt 100 ]] ||
    report "no AVX instruction found at all" "$archive"
fi

((failed == 0)) && echo "$archive: nothing beyond libc and threads at link time, no instruction outside its tier"
exit $failed
