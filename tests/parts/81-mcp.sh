# shellcheck shell=bash
# about: the MCP endpoint over HTTP and stdio, sanitized, with the official SDKs of both eras
# inputs: src/servers/CMakeLists.txt tests/mcp/run
part_short() {
    km_build asan kanmon kanmon_guarded
    tests/mcp/run --binary build/asan/kanmon
}
# And a thousand sessions at random with their servers killed under them, in place of some dozens;
# and Debian's own kernel, which keeps memory limits by cgroups.
part_long() {
    km_build release
    KM_CHURN=1000 tests/mcp/run --long --binary build/release/kanmon
    tests/vm/run
}
