# shellcheck shell=bash
# check.sh - what the tests of the scripts share: sentences that hold or do not.
passed=0
failed=0

# holds "sentence" COMMAND...
holds() {
    local sentence=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        printf 'ok   %s\n' "$sentence"
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n' "$sentence"
    fi
}

# same EXPECTED GOT
same() {
    [ "$1" = "$2" ] || { diff <(printf '%s\n' "$1") <(printf '%s\n' "$2"); return 1; }
}

summary() {
    printf '%s passed, %s failed\n' "$passed" "$failed"
    [ "$failed" = 0 ]
}
