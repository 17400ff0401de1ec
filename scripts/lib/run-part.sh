#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run-part.sh FILE - runs one part of ./scripts/test, in the form KM_FORM says, with the
# functions below at hand.  A part is a file in tests/parts/: see the README there.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/say.sh"
. "$KM_ROOT/scripts/lib/tools.sh"
cd "$KM_ROOT"

KM_JOBS=${KM_JOBS:-$(nproc)}
KM_FORM=${KM_FORM:-short}
KM_COUNTS=${KM_COUNTS:-/dev/null}
export KM_JOBS KM_FORM KM_COUNTS

# km_count PASSED FAILED: adds to the total of the run.
km_count() {
    echo "$1 $2" >>"$KM_COUNTS"
}

# km_build PRESET [TARGET...]: configures where needed and builds.
km_build() {
    local preset=$1
    shift
    [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >"build-$preset.log" 2>&1 || {
        cat "build-$preset.log"
        rm -f "build-$preset.log"
        return 1
    }
    rm -f "build-$preset.log"
    # -k: one broken file does not hide what is wrong with the others
    cmake --build "build/$preset" -j "$KM_JOBS" ${1:+--target "$@"} -- -k 20
}

# km_ctest PRESET ctest arguments...: runs and counts; no test at all is a failure.
km_ctest() {
    local preset=$1 log status=0 total bad
    shift
    log=$(mktemp)
    ctest --preset "$preset" -j "$KM_JOBS" --no-tests=error "$@" 2>&1 | tee "$log" || status=$?
    # ctest's own summary: "100% tests passed, 0 tests failed out of 12"
    read -r bad total < <(sed -n 's/.*tests passed, \([0-9]*\) tests failed out of \([0-9]*\)/\1 \2/p' "$log" | tail -1) ||
        { bad=1 total=1; }
    rm -f "$log"
    km_count $((total - bad)) "$bad"
    return $status
}

part_long() { # a part without a long form runs its short one
    part_short
}

# shellcheck source=/dev/null
. "$1"
"part_$KM_FORM"
