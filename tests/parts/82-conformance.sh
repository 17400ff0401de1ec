# shellcheck shell=bash
# about: the official MCP conformance suite, in both its lines and both protocol eras
# inputs: src/gateway/mcp/park.c tests/conformance/run
part_short() {
    km_build dev kanmon kanmon_fixture
    tests/conformance/run --binary build/dev/kanmon
}
