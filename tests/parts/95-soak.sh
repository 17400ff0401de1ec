# shellcheck shell=bash
# about: a steady mix of everything: nothing fails, leaks or is miscounted
# inputs: src/app/main.c tests/soak/run
# The release build: memory under the sanitizers says nothing about growth.
soak_run() { # soak_run tests/soak/run's arguments...
    local log last status=0
    km_build release kanmon
    log=$(mktemp)
    tests/soak/run --binary build/release/kanmon "$@" 2>&1 | tee "$log" || status=$?
    last=$(tail -n 1 "$log")
    rm -f "$log"
    # Its last line is "soak: 14 passed, 0 failed in 30 s"; another one is a failure.
    if [[ $last =~ ^soak:\ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        km_count "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    else
        km_count 0 1
        status=1
    fi
    return "$status"
}
part_short() { soak_run; }
part_long() { soak_run --long; }
