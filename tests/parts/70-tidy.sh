# shellcheck shell=bash
# about: clang-tidy 16, every warning an error
# inputs: src/*/CMakeLists.txt .clang-tidy
# By the commands of the build `dev`; nothing is compiled anew for it.  After a run without a finding
# the short form looks at what has changed since, which after a change of a header is everything.
# The tests are not looked at: the analyzer does not know that a failed assertion of cmocka ends
# the test.  It takes nearly all of the time: 15,000 nodes a function, not 225,000, cut it to an
# eighth (the long form takes them all).
tidy_passed=build/tidy.passed

# tidy_some NODES FIND-TEST...: looks at the sources that pass the test, the longest first.
tidy_some() {
    local nodes=$1
    shift
    find src -name '*.c' "$@" -printf '%s %p\n' | sort -rn | cut -d' ' -f2 |
        xargs -r -n 1 -P "$KM_JOBS" clang-tidy-16 -p build/dev --quiet --warnings-as-errors='*' \
            --extra-arg=-Xclang --extra-arg=-analyzer-config \
            --extra-arg=-Xclang --extra-arg=max-nodes="$nodes" \
            2> >(grep -vE '^[0-9]+ warnings? (generated|treated as error)' >&2)
}

tidy_ready() {
    clang-tidy-16 --verify-config || km_die ".clang-tidy names a check version 16 does not know"
    km_build dev >/dev/null
}

part_short() {
    local since=()
    tidy_ready
    touch "$tidy_passed.now"
    if [ -e "$tidy_passed" ] &&
        [ -z "$(find src .clang-tidy \( -name '*.h' -o -name .clang-tidy \) -newer "$tidy_passed")" ]; then
        since=(-newer "$tidy_passed")
    fi
    tidy_some 15000 "${since[@]}"
    mv "$tidy_passed.now" "$tidy_passed"
}
part_long() {
    tidy_ready
    tidy_some 225000
}
