# shellcheck shell=bash
# about: each fuzz target for a short time, from its kept corpus
# inputs: tests/fuzz/fuzz_*.c
# What a fuzzer finds is left in build/fuzz/found/; new inputs go to a copy, the corpus
# in the tree grows only by hand.
fuzz_each() {
    local seconds=$1 target name work
    km_build fuzz
    for target in tests/fuzz/fuzz_*.c; do
        name=$(basename "$target" .c)
        [ -x "build/fuzz/tests/fuzz/$name" ] || km_die "$target is in no CMakeLists.txt"
        compgen -G "tests/fuzz/corpus/${name#fuzz_}/*" >/dev/null ||
            km_die "$target has no corpus in tests/fuzz/corpus/${name#fuzz_}"
        work=build/fuzz/corpus/$name
        mkdir -p "$work" build/fuzz/found
        km_note "$name, $seconds s"
        if "build/fuzz/tests/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
            -print_final_stats=1 -artifact_prefix="build/fuzz/found/$name-" \
            "$work" "tests/fuzz/corpus/${name#fuzz_}" >"$work.log" 2>&1; then
            grep -E 'number_of_executed_units|new_units_added' "$work.log" | sed 's/^/    /'
            km_count 1 0
        else
            tail -40 "$work.log"
            km_count 0 1
        fi
    done
}
part_short() { fuzz_each 10; }
part_long() { fuzz_each 3600; }
