# shellcheck shell=bash
# about: the MCP endpoint over HTTP and stdio, with the official SDKs of both eras
# inputs: src/servers/CMakeLists.txt tests/mcp/run
part_short() {
    km_build dev
    tests/mcp/run --binary build/dev/kanmon
}
