# shellcheck shell=bash
# about: the Codex CLI and the Vercel AI SDK before the gateway, vendors' fakes behind it
# inputs: src/gateway/CMakeLists.txt tests/clients/run
part_short() {
    km_build dev kanmon
    tests/clients/run --binary build/dev/kanmon
}
part_long() {
    km_build asan kanmon
    tests/clients/run --binary build/asan/kanmon --long
}
