# shellcheck shell=bash
# about: each fuzz target for a short time, from its kept corpus
# inputs: tests/fuzz/fuzz_*.c
# What a fuzzer finds is left in build/fuzz/found/; new inputs go to a copy, the corpus
# in the tree grows only by hand.  The short form begins from one seed and stops after as many
# inputs, so that a run says something about the change and not about chance or the machine;
# the long form looks for what is new.
fuzz_one() { # fuzz_one SECONDS NAME SEED (0: by chance) INPUTS (-1: no end): says how it went on one line, and leaves NAME.ok
    local seconds=$1 name=$2 seed=$3 inputs=$4 work=build/fuzz/corpus/$2
    mkdir -p "$work"
    rm -f "$work.ok"
    if "build/asan/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -seed="$seed" -runs="$inputs" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="build/fuzz/found/$name-" \
        "$work" "tests/fuzz/corpus/$name" >"$work.log" 2>&1; then
        touch "$work.ok"
        km_note "$name: $(awk '/number_of_executed_units/ { print $2 }' "$work.log") inputs"
    else
        tail -40 "$work.log"
        km_note "$name: FAILED; its input is in build/fuzz/found/"
    fi
}

fuzz_each() { # fuzz_each SECONDS SEED INPUTS
    local seconds=$1 seed=$2 inputs=$3 target name running=0
    local names=()
    km_build asan
    mkdir -p build/fuzz/found
    for target in tests/fuzz/fuzz_*.c; do
        name=$(basename "$target" .c)
        name=${name#fuzz_}
        [ -x "build/asan/tests/fuzz/fuzz_$name" ] || km_die "$target is in no CMakeLists.txt"
        compgen -G "tests/fuzz/corpus/$name/*" >/dev/null ||
            km_die "$target has no corpus in tests/fuzz/corpus/$name"
        names+=("$name")
    done
    for name in "${names[@]}"; do
        if [ $running -ge "$KM_JOBS" ]; then
            wait -n
            running=$((running - 1))
        fi
        fuzz_one "$seconds" "$name" "$seed" "$inputs" &
        running=$((running + 1))
    done
    wait
    for name in "${names[@]}"; do
        if [ -e "build/fuzz/corpus/$name.ok" ]; then km_count 1 0; else km_count 0 1; fi
    done
}
part_short() { fuzz_each 3 1 30000; }
part_long() { fuzz_each 3600 0 -1; }
