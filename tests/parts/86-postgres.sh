# shellcheck shell=bash
# about: the PostgreSQL server, sanitized: every hostile and every legitimate statement against a real one
# inputs: src/servers/CMakeLists.txt tests/postgres/run tests/data/postgres/hostile.tsv
part_short() {
    km_build asan kanmon pg_layers
    tests/postgres/run --binary build/asan/kanmon
}
part_long() {
    km_build dev
    KM_FUZZ_SECONDS=120 tests/postgres/run --binary build/dev/kanmon
    tests/postgres/run --versions --binary build/dev/kanmon
}
