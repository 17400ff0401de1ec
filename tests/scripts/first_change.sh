#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# first_change.sh - follows docs/first-change.md in a copy of the tree: the test it adds
# fails before the row and passes after it, the lint asks for .env.example, the codec builds
# and passes its own tests, and a gateway with its hook and its kind of call does what the
# page says.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/check.sh"
top=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
gateway=
trap '[ -z "$gateway" ] || kill "$gateway" || true; rm -rf "$work"' EXIT

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
    python3 -B tests/lint/format.py . src/llm/provider/*.[ch] tests/unit/llm/test_p*.c \
        src/kept/{few_answers,code_name}.[ch] src/gateway/parrot/*.[ch] src/app/{hooks,tables}.c >"$work/log" ||
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

# --- a hook and a kind ---

block hook >src/kept/few_answers.c
block hookheader >src/kept/few_answers.h
sed -i 's|^\( *\)file_refs\.c$|\1few_answers.c\n&|' src/kept/CMakeLists.txt
block unit >src/kept/code_name.c
block unitheader >src/kept/code_name.h
sed -i 's|^\( *\)file_refs\.c$|\1code_name.c\n&|' src/kept/CMakeLists.txt
mkdir src/gateway/parrot
block kind >src/gateway/parrot/call.c
block kindheader >src/gateway/parrot/parrot.h
block kindlibrary >"$work/block"
sed -i -e "/^add_library(km_gateway INTERFACE)/{
    e cat $work/block
}" src/gateway/CMakeLists.txt
hooks=src/app/hooks.c
tables=src/app/tables.c
block hookrow >"$work/block"
sed -i -e "/^const struct km_call_hooks km_app_hooks/{
    e cat $work/block
}" $hooks
holds "a hook: the places have a list" grep -q 'guarded\[\]' $hooks
sed -i -e 's|^static const struct km_call_unit \*const shown\[\] = { |&\&km_code_name_unit, |' \
    -e 's|^#include "kept/file_refs.h"$|#include "kept/code_name.h"\n&|' $hooks
block unitrow >"$work/block"
sed -i -e "/^const struct km_call_hooks km_app_hooks/{
    e cat $work/block
}" -e 's|\[KM_UNITS_FETCH\] = fetched|[KM_UNITS_REQUEST] = asked,\n&|' $hooks
holds "a unit: the places have a list" grep -q 'KM_UNITS_REQUEST. = asked' $hooks
holds "a unit: the answer's places have a list" grep -q 'shown\[\] = { &km_code_name_unit' $hooks
sed -i -e 's|\[KM_HOOK_PREPARED\] = prepared|&,\n[KM_HOOK_GUARDED] = guarded|' \
    -e 's|^#include "kept/file_refs.h"$|#include "kept/few_answers.h"\n&|' $hooks
sed -i -e 's|^#include "gateway/prefix/prefix.h"$|#include "gateway/parrot/parrot.h"\n&|' \
    -e 's|^    &km_llm_routes,$|&\n    \&km_parrot_routes,|' $tables
laid() { ./scripts/format $hooks $tables >"$work/log" 2>&1 || { cat "$work/log"; return 1; }; }
holds "a hook and a kind: the rows can be laid out" laid
gateway_built() { cmake --build build/dev --target kanmon >"$work/log" 2>&1 || { tail -30 "$work/log"; return 1; }; }
holds "a hook and a kind: they build" gateway_built

port=$(PYTHONPATH=tests/e2e/lib python3 -B -c 'import ports; print(ports.free_port())')
cat >config.yaml <<END
model_list:
  - model_name: hello
    litellm_params: {model: openai/none, mock_response: Hello.}
  - model_name: leaky
    litellm_params: {model: openai/none, mock_response: It is Parley. Parley it is.}
general_settings: {master_key: sk-first}
kanmon_settings: {state_dir: $work/state, workers: 1}
END
build/dev/kanmon serve --config config.yaml --port "$port" >"$work/serve.log" 2>&1 &
gateway=$!
asked() { # asked PATH curl arguments...: body and status
    curl -s -w '%{http_code} ' --max-time 60 -H 'Authorization: Bearer sk-first' \
        -H 'Content-Type: application/json' "http://127.0.0.1:$port$1" "${@:2}" || true
}
ready() { # for as long as it lives
    while kill -0 "$gateway" && [[ $(asked /health/readiness) != *200* ]]; do sleep 0.05; done
}
chat() { # chat N: asks for so many answers
    asked /v1/chat/completions -d '{"model":"hello","n":'"$1"',"messages":[{"role":"user","content":"a"}]}'
}
leaky() { # leaky STREAM
    asked /v1/chat/completions -d '{"model":"leaky","stream":'"$1"',"messages":[{"role":"user","content":"a"}]}'
}
holds "a hook and a kind: the gateway starts" ready
holds "a hook: eight answers are given" grep -q 'Hello.*200 $' <<<"$(chat 8)"
holds "a hook: nine are not" grep -q '"param":"n".*400 $' <<<"$(chat 9)"
holds "a unit: the name is in no answer" grep -q 'It is \*\*\*\*\*\*. \*\*\*\*\*\* it is.*200 $' <<<"$(leaky false)"
holds "a unit: nor in a stream" test -z "$(leaky true | grep Parley)"
holds "a unit: nor in what is asked" grep -q '\*\*\*\*\*\*' <<<"$(asked /v1/chat/completions \
    -d '{"model":"Parley","messages":[{"role":"user","content":"a"}]}')"
holds "a kind: it answers" same "Hello200 " "$(asked /v1/parrot -d Hello)"
holds "a kind: what it refuses is said" grep -q 'nothing to say again' <<<"$(asked /v1/parrot -d '')"
holds "a kind: its call is in the books, with its price" test "$(asked /spend/logs |
    python3 -c 'import json, sys; print([r["spend"] for r in json.loads(sys.stdin.read().rsplit("]", 1)[0] + "]")
        if r["call_type"] == "parrot" and r["spend"]])')" = "[1e-05]"
kill "$gateway"
wait "$gateway" || true
gateway=
holds "a hook and a kind: nobody calls what is not theirs" python3 -B tests/lint/callers.py . build/dev

holds "step 5: the lint asks for .env.example" asked_for
block env >>.env.example
echo '#PARLEY_API_KEY=' >>.env.example
holds "step 5: the lint is content" python3 -B tests/lint/environment.py .
holds "what the page adds is laid out as the lint wants" laid_out
summary
