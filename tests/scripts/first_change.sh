#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# first_change.sh - follows docs/first-change.md in a copy of the tree: the test it adds
# fails before the row and passes after it, the lint asks for .env.example, and the
# codec of its last part builds and passes its own tests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/check.sh"
top=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

block() { # block KIND: the text of ```KIND in the page
    awk -v kind="\`\`\`$1" '$0 == kind { on = 1; next } /^```/ { on = 0 } on' \
        "$top/docs/first-change.md"
}

insert_before() { # insert_before FILE FIXED_LINE KIND
    block "$3" >"$work/block"
    awk -v line="$2" -v block="$work/block" \
        '$0 == line && !done { while ((getline text < block) > 0) print text; done = 1 } { print }' \
        "$1" >"$work/new"
    cmp -s "$1" "$work/new" && { echo "no line '$2' in $1"; return 1; }
    cp "$work/new" "$1"
}

cd "$top"
git ls-files -co --exclude-standard -z | xargs -0 tar -cf - | tar -xf - -C "$work"
cd "$work"
# What the part dev has compiled is the same here: ccache finds it if both speak of their own top.
export CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1
cmake --preset dev >/dev/null 2>&1
built() { cmake --build build/dev --target test_llm_provider >"$work/log" 2>&1 || { cat "$work/log"; return 1; }; }
tested() { built && ./build/dev/tests/unit/llm/test_llm_provider >"$work/log" 2>&1; }
asked_for() { # in a string: a pipe would close before the lint has said all
    local said
    said=$(python3 -B tests/lint/environment.py . || true)
    [[ $said == *"ACME_API_KEY is not in .env.example"* ]]
}
laid_out() {
    python3 -B tests/lint/format.py . src/llm/provider/*.[ch] tests/unit/llm/test_p*.c >"$work/log" ||
        { cat "$work/log"; return 1; }
}

holds "the page has its four blocks" test -n "$(block test)" -a -n "$(block row)" -a \
    -n "$(block env)" -a -n "$(block yaml)"
holds "before: the tests pass" tested
holds "step 3: the test has a place to add to" insert_before tests/unit/llm/test_provider.c \
    '    expect_split("openai/gpt-4o", "openai", "gpt-4o");' test
built
holds "step 3: the new test fails" test "$(tested && echo passes || echo fails)" = fails
holds "step 4: the rows have an end" insert_before src/llm/provider/openai_compatible.c \
    '};' row
holds "step 4: the new test passes" tested

codec_built() { cmake --build build/dev --target test_llm_parley >"$work/log" 2>&1 || { cat "$work/log"; return 1; }; }
block codec >src/llm/provider/parley.c
block codectest >tests/unit/llm/test_parley.c
sed -i 's|^        provider/ollama.c$|&\n        provider/parley.c|' src/llm/CMakeLists.txt
sed -i 's|^kanmon_test(llm ollama)$|&\nkanmon_test(llm parley)|' tests/unit/llm/CMakeLists.txt
holds "a codec: its row is declared" insert_before src/llm/provider/rows.h '#endif' declared
holds "a codec: its row is listed" insert_before src/llm/provider/provider.c '    NULL,' native
holds "a codec: it builds" codec_built
holds "a codec: its tests pass" ./build/dev/tests/unit/llm/test_llm_parley
holds "a codec: the tests of all providers pass" tested
holds "a codec: every file has its opening" test "$(python3 -B tests/lint/opening.py . | grep -c parley)" = 0

holds "step 5: the lint asks for .env.example" asked_for
block env >>.env.example
echo '#PARLEY_API_KEY=' >>.env.example
holds "step 5: the lint is content" python3 -B tests/lint/environment.py .
holds "what the page adds is laid out as the lint wants" laid_out
summary
