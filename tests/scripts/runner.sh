#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# runner.sh - ./scripts/test itself: what it counts, what it leaves out, how it ends.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/check.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/../../scripts" "$work/scripts"
mkdir -p "$work/tests/parts"
cd "$work"

part() { # part NN-NAME INPUTS: the body comes on stdin
    { printf '# about: an example\n# inputs: %s\n' "$2"; cat; } >"tests/parts/$1.sh"
}

run() { # sets out and status
    status=0
    out=$(./scripts/test --no-install "$@" 2>&1) || status=$?
}

part 10-good scripts/test <<<'part_short() { km_count 3 0; }
part_long() { km_count 30 0; }'
part 20-plain scripts/test <<<'part_short() { true; }'
part 30-later src/none.c <<<'part_short() { false; }'
run
holds "counted tests and parts that do not count add up" same "4 passed, 0 failed" "$(tail -1 <<<"$out")"
holds "all well is status 0" same 0 "$status"
holds "a part without its inputs is absent, not passed" same 0 "$(grep -c later <<<"$out" || true)"
run --list
holds "the list says why a part is left out" grep -q 'later.*there is no src/none.c yet' <<<"$out"
run later
holds "asking for a part without inputs fails" same 1 "$status"
run nosuch
holds "asking for a part that is not there fails" same 1 "$status"
run --long good
holds "the long form is another function" same "30 passed, 0 failed" "$(tail -1 <<<"$out")"

part 15-slow scripts/test <<<'part_short() { sleep 2; }'
KM_SLOW_PART_S=1 run slow
holds "a part that takes long is named" grep -qE 'slow took [0-9]+:[0-9]{2}, over 0:01: what is slow' <<<"$out"
KM_SLOW_PART_S=3600 run slow
holds "one that does not is not" same 0 "$(grep -c 'slow took' <<<"$out" || true)"
KM_SLOW_PART_S=0 run --long slow
holds "the long form may take what it takes" same 0 "$(grep -c 'slow took' <<<"$out" || true)"
rm tests/parts/15-slow.sh

part 40-bad scripts/test <<<'part_short() { km_count 5 2; false; }'
run
holds "failed tests are counted" same "9 passed, 2 failed" "$(tail -1 <<<"$out")"
holds "a failure is status 1" same 1 "$status"
part 40-bad scripts/test <<<'part_short() { false; true; }'
run bad
holds "the first failed command fails the part" same "0 passed, 1 failed" "$(tail -1 <<<"$out")"
part 40-bad scripts/test <<<'part_short() { km_count 2 0; exit 3; }'
run bad
holds "tests that passed do not hide a part that failed" same "2 passed, 1 failed" "$(tail -1 <<<"$out")"
part 40-bad scripts/test <<<'part_short() { km_count 1 1; }'
run bad
holds "a test that failed fails a part that ended well" same 1 "$status"
# shellcheck disable=SC2016 # the part's own $line
part 40-bad scripts/test <<<'part_short() { read -r line && echo "$line"; }'
run bad </dev/zero
holds "a part has no stdin" same 1 "$status"
summary
