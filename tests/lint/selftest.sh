#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# selftest.sh - shows each lint what it must refuse, and one clean tree it must accept.
#
# A small project is laid out in a temporary folder with this project's own CMake files
# and lints.  Each case changes one thing in a fresh copy and expects the lint named to
# fail and to say why: a lint that fails for another reason proves nothing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
passed=0

# The clean tree: two layers, one header each.
lay_out() {
    local top=$1
    mkdir -p "$top"/src/{base,http} "$top"/{docs,scripts,tests/lint}
    cp -r "$root/cmake" "$root/CMakeLists.txt" "$root/CMakePresets.json" "$root/.clang-format" "$top"
    echo 'A text.' >"$top/docs/a.md"
    echo '#EXAMPLE_KEY=' >"$top/.env.example"
    cp "$root"/tests/lint/{CMakeLists.txt,*.py,empty_main.c} "$top/tests/lint/"
    echo '# exceptions' >"$top/tests/lint/sizes.allow"
    echo '# layer, number, reason' >"$top/tests/lint/knots.allow"
    echo '# name, reason' >"$top/tests/lint/names.allow"
    echo '# who may' >"$top/tests/lint/callers.allow"
    local layer
    for layer in base http; do
        cat >"$top/src/$layer/$layer.h" <<END
/* SPDX-License-Identifier: Apache-2.0 */
/* $layer.h - an example.
 * Nothing more. */
#ifndef KM_EXAMPLE_${layer}_H
#define KM_EXAMPLE_${layer}_H

#include <stddef.h>

int km_$layer(size_t n);

#endif
END
        cat >"$top/src/$layer/$layer.c" <<END
/* SPDX-License-Identifier: Apache-2.0 */
/* $layer.c - an example: see $layer.h.
 *
 * It is here to be looked at by the lints,
 * and to be changed by the cases.
 */
#include "$layer/$layer.h"

int km_$layer(size_t n)
{
    return (int)n;
}
END
    done
    echo 'kanmon_module(base SOURCES base.c)' >"$top/src/base/CMakeLists.txt"
    echo 'kanmon_module(http SOURCES http.c DEPS kanmon::base EXTERNAL kanmon_ext::llhttp)' \
        >"$top/src/http/CMakeLists.txt"
    # shellcheck disable=SC2016 # the example's own $1
    printf '#!/bin/sh\necho "$1"\n' >"$top/scripts/example"
    git -C "$top" init -q
    # What the project's own files name is not in the small tree: rows, as for others' files.
    { python3 "$top/tests/lint/names.py" "$top" || true; } |
        sed -n 's/.*there is no \(.*\): say where it went$/\1 the project has it/p' |
        sort -u >>"$top/tests/lint/names.allow"
}

build_tree() {
    (cd "$1" && cmake --preset dev && cmake --build build/dev) >"$work/build.log" 2>&1 ||
        { cat "$work/build.log"; return 1; }
}

run_lint() {
    if [ "$2" = archives ]; then
        cmake --build "$1/build/dev" --target lint_archives
    else
        python3 "$1/tests/lint/$2.py" "$1" "$1/build/dev"
    fi
}

result() {
    if [ "$1" = ok ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    printf '%-4s %s\n' "$1" "$2"
}

# refuses LINT "what it must say" "case": the tree in $work/case, changed by the caller.
refuses() {
    local lint=$1 says=$2 about=$3 out
    if out=$(run_lint "$work/case" "$lint" 2>&1); then
        result FAIL "$lint accepts $about"
    elif ! grep -qE -- "$says" <<<"$out"; then
        result FAIL "$lint refuses $about, but not by saying '$says':"
        printf '%s\n' "$out"
    else
        result ok "$lint refuses $about"
    fi
    fresh
}

# accepts LINT "case": the other way round.
accepts() {
    local out
    if out=$(run_lint "$work/case" "$1" 2>&1); then
        result ok "$1 accepts $2"
    else
        result FAIL "$1 refuses $2: $out"
    fi
    fresh
}

fresh() {
    rm -rf "$work/case/src" "$work/case/scripts" "$work/case/docs" "$work/case/tests"
    (cd "$work/clean" && tar -cf - --exclude=build --exclude=.git .) | tar -xmf - -C "$work/case"
}

# Appends to a file of the case.
add() {
    mkdir -p "$(dirname "$work/case/$1")"
    cat >>"$work/case/$1"
}

lay_out "$work/clean"
cp -r "$work/clean" "$work/case"
build_tree "$work/case"
for lint in layers headers banned format sizes words opening shell environment judged taken patience knots names callers archives; do
    accepts "$lint" 'the clean tree'
done

echo '#  include "../http/http.h"' | add src/base/base.c
refuses layers 'base sees http/http.h: http is a layer above' 'an upward include in odd spelling'
echo '#include <openssl/evp.h>' | add src/http/http.c
refuses layers 'enters only at base/crypto net/tls' 'a library where it does not enter'
echo '#include <llhttp.h>' | add src/base/base.h
refuses layers 'src/base/base.c.*of llhttp' 'a library that comes in by a header'
echo '#include <cmocka.h>' | add src/base/base.c
refuses layers 'that has no row' 'a library in no row'
mkdir -p "$work/case/src/store/sqlite"
cp "$work/case/src/base/base.h" "$work/case/src/store/sqlite/file.h"
echo '#include "store/sqlite/file.h"' | add src/http/http.c
refuses layers 'sees store/sqlite/file.h: only store/drivers.c does' 'a driver seen past its door'
cp "$work/case/src/base/base.c" "$work/case/src/base/forgotten.c"
refuses layers 'not built' 'a source that is not built'

sed -i '/stddef/d' "$work/case/src/base/base.h"
refuses headers 'src/base/base.h.*size_t' 'a header that needs another before it'
printf 'static inline int km_odd(int a)\n{\n    unsigned b = a;\n    return (int)b;\n}\n' |
    add src/http/http.h
refuses headers 'src/http/http.h' 'a header with a warning'

printf '\nvoid km_copy(char *to);\nvoid km_copy(char *to)\n{\n    strcpy (to, "x");\n}\n' | add src/base/base.c
refuses banned 'strcpy\(\) is banned' 'strcpy in the text'
printf '#include <stdlib.h>\n#define TO_INT ato%s\nint km_n(const char *s);\nint km_n(const char *s)\n{\n    return TO_INT(s);\n}\n' 'i' |
    add src/base/base.c
cmake --build "$work/case/build/dev" >/dev/null
refuses banned 'base.c.o calls atoi' 'a call behind a macro'
printf '#include <stdio.h>\nvoid km_say(void);\nvoid km_say(void)\n{\n    fputs("x", stderr);\n}\n' |
    add src/base/base.c
refuses banned 'fputs\(\) writes where a reader may stall' 'output past the log'
printf '#include <unistd.h>\n#define SAY wri%s\nvoid km_say(void);\nvoid km_say(void)\n{\n    (void)!SAY(2, "x", 1);\n}\n' 'te' |
    add src/base/base.c
cmake --build "$work/case/build/dev" >/dev/null
refuses banned 'base.c.o calls write' 'output past the log behind a macro'
cmake --build "$work/case/build/dev" >/dev/null
printf '/* strcpy(a, b) is banned */\n' | add src/base/base.c
accepts banned 'the name in a comment'

# shellcheck disable=SC2016
printf '#include <sys/wait.h>\nint km_end(int p);\nint km_end(int p)\n{\n    int s;\n    while (waitpid(p, &s, 0) < 0)\n        ;\n    return s;\n}\n' |
    add src/http/http.c
refuses banned 'waitpid\(\) stands only in sys/: use sys/blocking' 'a wait outside sys'
printf '#include <unistd.h>\n#define CHILD for%s\nint km_two(void);\nint km_two(void)\n{\n    return (int)CHILD();\n}\n' 'k' |
    add src/http/http.c
cmake --build "$work/case/build/dev" >/dev/null
refuses banned 'http.c.o calls fork' 'a spawn behind a macro'
cmake --build "$work/case/build/dev" >/dev/null
printf '#include <unistd.h>\nint km_all(int fd, char *b);\nint km_all(int fd, char *b)\n{\n    return (int)read(fd, b, 1);\n}\n' |
    add src/http/http.c
refuses banned 'read\(\) stands only in sys/' 'a read outside sys'
printf 'static int read(int x)\n{\n    return x;\n}\nint km_own(void);\nint km_own(void)\n{\n    return read(1);\n}\n' |
    add src/http/http.c
accepts banned 'a function of our own with such a name'

printf 'int  km_x( void );\n' | add src/base/base.h
refuses format 'base.h.*scripts/format' 'a layout of its own'

{ printf 'int km_long(void);\nint km_long(void)\n{\n'; seq -f '    km_base(%.0f);' 80; printf '}\n'; } |
    add src/base/base.c
refuses sizes 'km_long\(\) has 8[0-9] lines' 'a function of 82 lines'
seq -f '/* line %.0f */' 801 | add src/base/base.c
refuses sizes 'the limit is 800' 'a file of over 800 lines'
echo 'src/base/base.c a reason' | add tests/lint/sizes.allow
refuses sizes 'within the limits now' 'an exception nobody needs'

printf 'see https://registry.%s.org/x\n' npmjs | add docs/a.md
refuses words 'registry host' 'a registry host'
printf 'in /ro%s/x\n' ot | add docs/a.md
refuses words 'path of one machine' 'a path of one machine'
printf '/* TO%s: later */\n' DO | add src/base/base.c
refuses words 'unfinished work' 'a note of unfinished work'

printf 'int km_read(void)\n{\n    return km_json_parse_answer (a, b, c, d);\n}\n' | add src/gateway/rights.c
refuses judged 'finds the first of two members' 'a tolerant reader where something is decided'
printf '/* km_json_parse_answer() is not for this file */\n' | add src/base/base.c
accepts judged 'the name of a tolerant reader in a comment'
printf 'enum km_right km_may(int who);\n' | add src/base/base.h
refuses judged 'declare it KM_MUST_USE' 'a right that may be passed over'
printf 'bool km_key_grants_all(int who);\n' | add src/base/base.h
refuses judged 'returns enum km_right' 'a check of a right that is a bool'

printf 'int read(struct km_decode *d)\n{\n    return km_json_get(root, "a") != 0;\n}\n' |
    add src/llm/provider/new.c
refuses taken 'so that what it does not take is told' 'a look-up that hides what a decoder loses'
printf 'int read(struct km_decode *d)\n{\n    return km_answer_json(a, b, c, d);\n}\n' |
    add src/llm/provider/new.c
refuses taken 'by km_decode_json' 'a document that nobody looks through'

printf 'import httpx2\n\nlink = httpx2.AsyncClient(headers={})\n' | add tests/mcp/test_a.py
refuses patience 'gives up after 5 s' 'a client with the limit it came with'
printf 'import openai\n\nlink = openai.OpenAI(timeout=20)\n' | add tests/mcp/test_a.py
refuses patience 'on a slow machine' 'a limit that the machine does not change'
printf 'import time\n\ntime.sleep(2)\n' | add tests/mcp/test_a.py
refuses patience 'wait for what the sleep is for' 'a sleep'
printf 'import openai\n\nlink = openai.OpenAI(timeout=patient(20))\n' | add tests/mcp/test_a.py
accepts patience 'a limit that grows with the machine'

sed -i 1d "$work/case/src/base/base.c"
refuses opening 'the first line is not' 'a file without its licence line'
sed -i '2,6d' "$work/case/src/base/base.c"
refuses opening 'opening comment has 0 lines' 'a source without an opening comment'

# shellcheck disable=SC2016 # the example's own $1
printf 'rm -rf $1/x\n' | add scripts/example
refuses shell 'SC2086' 'an unquoted variable'
printf "#!/bin/sh\ntrap 'jobs -p | xargs kill' EXIT\n" | add scripts/example
refuses shell 'may fail in a trap' 'a trap that decides how the script ended'
printf "#!/bin/sh\ntrap 'jobs -p | xargs kill || true; rm -f x' EXIT\n" | add scripts/example
accepts shell 'a trap that decides nothing'

printf 'const char *km_secret_name = "OTHER_KEY";\n' | add src/base/base.c
refuses environment 'OTHER_KEY is not in .env.example' 'a variable nobody documented'
printf 'const char *km_secret_name = "EXAMPLE_KEY";\n' | add src/base/base.c
accepts environment 'a variable that is documented'

printf '\nint km_http(size_t n);\nint km_up(void);\nint km_up(void)\n{\n    return km_http(1);\n}\n' |
    add src/base/base.c
cmake --build "$work/case/build/dev" >/dev/null
refuses archives 'km_http' 'an upward call no test pulls'
sed -i 's/base.c)/base.c DEPS kanmon::http)/' "$work/case/src/base/CMakeLists.txt"
refuses archives 'which is not below it' 'a layer that asks for one above'

round_about() {
    printf '\nint km_other(void);\nint km_round(void);\nint km_round(void)\n{\n    return km_other();\n}\n' |
        add src/base/base.c
    printf 'int km_round(void);\nint km_other(void);\nint km_other(void)\n{\n    return km_round();\n}\n' |
        add src/base/other.c
    sed -i 's/base.c)/base.c other.c)/' "$work/case/src/base/CMakeLists.txt"
    cmake --build "$work/case/build/dev" >/dev/null
}
round_about
refuses knots '2 objects reach each other, 1 may.*base other' 'two objects that call each other'
round_about
echo 'base 3 once it was so' | add tests/lint/knots.allow
refuses knots 'base has 2 by now' 'a knot that became smaller'
round_about
echo 'base 2 they know each other' | add tests/lint/knots.allow
accepts knots 'a knot of the size that is allowed'

echo 'see base/gone.h' | add docs/a.md
refuses names 'docs/a.md:2: .*there is no base/gone.h' 'a document that names what is gone'
printf '/* gone.c has the rest. */\n' | add src/base/base.c
refuses names 'there is no gone.c' 'a comment that names what is gone'
echo '/* in src/base/gone/ */' | add src/base/base.c
refuses names 'there is no src/base/go' 'a folder that is gone'
# shellcheck disable=SC2016 # the example's own backquotes
printf 'see `base.c`, base/base.h, src/{base,http}/*.c, test_X.md and https://x.org/no.md\n' | add docs/a.md
touch "$work/case/docs/test_a.md"
accepts names 'names of files that are there'
echo 'see gone.h of somebody else' | add docs/a.md
echo 'gone.h somebody else has it' | add tests/lint/names.allow
accepts names 'a name that is known to be of others'
echo 'gone.h somebody else has it' | add tests/lint/names.allow
refuses names 'nobody names gone.h: remove the row' 'a row for a name that nobody uses'

calls_down() {
    printf '#include "base/base.h"\nint km_down(void);\nint km_down(void)\n{\n    return km_base(1);\n}\n' |
        add src/http/http.c
    cmake --build "$work/case/build/dev" >/dev/null
    echo '[km_base] one door' | add tests/lint/callers.allow
}
calls_down
refuses callers 'src/http/http.c.* calls km_base' 'a call by somebody who may not'
calls_down
echo 'http/*.c it is the door' | add tests/lint/callers.allow
accepts callers 'a call by somebody who may'
echo '[km_base: http/*.c] one door' | add tests/lint/callers.allow
echo 'http.c it is the door' | add tests/lint/callers.allow
cmake --build "$work/case/build/dev" >/dev/null
refuses callers 'http.c does not need it any more' 'a row for somebody who does not call'
echo '#include "base/base.h"' | add src/http/http.c
echo '[#include base/*.h: http/*.c] it shall not know' | add tests/lint/callers.allow
refuses callers 'includes base/base.h: see' 'a header that is not for this source'

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
