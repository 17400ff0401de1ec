# shellcheck shell=bash
# about: the real binary, sanitized, with the OpenAI SDKs, hostile HTTP, kill -9, reload, restart
# inputs: src/app/CMakeLists.txt tests/e2e/run
part_short() {
    km_build asan kanmon kanmon_guarded
    tests/e2e/run --binary build/asan/kanmon
}
part_long() {
    km_build release
    tests/e2e/run --long --binary build/release/kanmon
}
