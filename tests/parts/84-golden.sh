# shellcheck shell=bash
# about: golden conversations: every inbound API over every provider, by the vendors' SDKs
# inputs: src/gateway/CMakeLists.txt tests/golden/run
part_short() {
    km_build dev kanmon
    tests/golden/run --binary build/dev/kanmon
}
part_long() {
    km_build asan kanmon
    tests/golden/run --binary build/asan/kanmon
}
