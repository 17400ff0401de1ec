# shellcheck shell=bash
# about: the MCP endpoint over HTTP and stdio, with the official SDKs of both eras
# inputs: src/servers/CMakeLists.txt tests/mcp/run
part_short() {
    km_build dev
    tests/mcp/run --binary build/dev/kanmon
}
# And a thousand sessions at random with their servers killed under them, in place of some dozens.
part_long() {
    KM_CHURN=1000 part_short
}
