# shellcheck shell=bash
# pytest.sh - pytest as every suite of ours runs it: counted, and a failure looked at twice.
#
#     . scripts/lib/pytest.sh
#     km_pytest NAME pytest arguments...        # with $KM_PYTHON of km_python
#
# Test files are shared out over three times as many processes as there are cores, because tests
# wait more than they compute (a file stays in one process, so that what its fixtures start is
# started once), the longest first.  What fails is run again, alone and in one
# process: what passes then is counted as passed and named as unsteady at the end of the
# run, where it cannot be overlooked; it is a bug of the test or of the program, and whoever
# sees it looks for the cause.  KM_SECOND=0 (as in --long) gives no second chance.

# km_pytest_count LOG: "passed failed" of pytest's last line, "1 failed, 39 passed in 4.21s".
km_pytest_count() {
    tail -1 "$1" | awk '{
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^passed/) ok = $(i - 1)
            if ($i ~ /^(failed|error)/) bad += $(i - 1)
        }
    } END { print ok + 0, bad + 0 }'
}

# km_pytest_run LOG ARGUMENTS...: 0 when all passed or nothing was selected.
km_pytest_run() {
    local log=$1 code=0
    shift
    PYTHONPATH=scripts/lib "$KM_PYTHON" -m pytest -q -p longest_first --tb=short --durations=5 \
        -rfE "$@" 2>&1 | tee "$log" || code=$?
    [ $code = 0 ] || [ $code = 5 ] # 5: a filter selected nothing
}

km_pytest_processes=$((${KM_JOBS:-$(nproc)} * 3))

km_pytest() {
    local name=$1 work ok bad again=0 status=0
    shift
    work=$(mktemp -d)
    if ! km_pytest_run "$work/log" -o cache_dir="$work/cache" -n "$km_pytest_processes" \
        --dist loadfile --no-loadscope-reorder "$@"; then
        status=1
        read -r ok bad < <(km_pytest_count "$work/log")
        if [ "${KM_SECOND:-1}" = 1 ] && [ "$bad" -gt 0 ] && [ "$bad" -le 5 ]; then
            km_note "$name: $bad failed; once more, alone"
            cp "$work/log" "$work/first"
            # shellcheck disable=SC2015 # status=0 cannot fail
            km_pytest_run "$work/log" -o cache_dir="$work/cache" --last-failed \
                --last-failed-no-failures none "$@" && status=0 || true
            read -r again bad < <(km_pytest_count "$work/log")
            grep -E '^(FAILED|ERROR) ' "$work/first" | cut -d' ' -f2 |
                { grep -vxFf <(grep -E '^(FAILED|ERROR) ' "$work/log" | cut -d' ' -f2) || true; } |
                sed "s|^|$name: |" >>"${KM_UNSTEADY:-/dev/null}"
        fi
        echo "$((ok + again)) $bad" >>"${KM_COUNTS:-/dev/null}"
    else
        km_pytest_count "$work/log" >>"${KM_COUNTS:-/dev/null}"
    fi
    rm -rf "$work"
    return $status
}
