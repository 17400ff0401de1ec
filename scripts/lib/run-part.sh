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
KM_UNSTEADY=${KM_UNSTEADY:-/dev/null}
[ "$KM_FORM" = short ] || KM_SECOND=0 # the long form gives no second chance
KM_SECOND=${KM_SECOND:-1}
export KM_JOBS KM_FORM KM_COUNTS KM_UNSTEADY KM_SECOND

# Copies of the tree (another checkout, the one of scripts.first_change) share what ccache has.
export CCACHE_BASEDIR=$KM_ROOT CCACHE_NOHASHDIR=1

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

# km_unsteady NAME...: tests that passed at the second try only; said at the end of the run.
km_unsteady() {
    printf '%s\n' "$@" >>"$KM_UNSTEADY"
}

# km_ctest_sum LOG: "failed total" of ctest's summary, "100% tests passed, 0 tests failed out of 12".
km_ctest_sum() {
    sed -n 's/.*tests passed, \([0-9]*\) tests failed out of \([0-9]*\)/\1 \2/p' "$1" | tail -1
}

# km_ctest PRESET ctest arguments...: runs and counts; no test at all is a failure.  What
# fails is run again alone: see scripts/lib/pytest.sh, whose words hold here too.
km_ctest() {
    local preset=$1 log status=0 total bad again
    shift
    log=$(mktemp)
    ctest --preset "$preset" -j "$KM_JOBS" --no-tests=error "$@" 2>&1 | tee "$log" || status=$?
    read -r bad total < <(km_ctest_sum "$log") || { bad=1 total=1; }
    if [ $status != 0 ] && [ "$KM_SECOND" = 1 ] && [ "$bad" -le 5 ] && [ "$total" -gt 1 ]; then
        local failed
        mapfile -t failed < <(sed -n 's/^.* - \([^ ]*\) (.*).*$/\1/p' "$log")
        km_note "$preset: $bad failed; once more, alone"
        status=0
        ctest --preset "$preset" --rerun-failed "$@" 2>&1 | tee "$log" || status=$?
        read -r again _ < <(km_ctest_sum "$log") || again=$bad
        [ "$again" = "$bad" ] || km_unsteady "$preset, of: ${failed[*]}"
        bad=$again
    fi
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
