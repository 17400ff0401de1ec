# shellcheck shell=bash
# about: the official MCP conformance suite, in both its lines and both protocol eras
# inputs: src/mcp/CMakeLists.txt tests/conformance/run
part_short() {
    tests/conformance/run direct
}
