# shellcheck shell=bash
# about: docs/configuration.md is what the rows say; the JSON Schema takes the examples
# inputs: src/app/main.c docs/configuration.md
part_short() {
    local work=build/reference
    . scripts/lib/tools.sh
    km_build dev
    mkdir -p "$work"
    build/dev/kanmon config docs >"$work/configuration.md"
    if diff -u docs/configuration.md "$work/configuration.md"; then
        km_count 1 0
    else
        km_note "run: build/dev/kanmon config docs > docs/configuration.md"
        km_count 0 1
    fi
    build/dev/kanmon config schema >"$work/schema.json"
    km_python tests/unit/config/requirements.lock
    "$KM_PYTHON" tests/unit/config/schema_check.py "$work/schema.json" examples/*.y*ml
}
