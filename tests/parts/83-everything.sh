# shellcheck shell=bash
# about: the reference server, feature by feature: through kanmon as directly
# inputs: src/gateway/mcp/park.c tests/everything/run
part_short() {
    km_build dev kanmon
    tests/everything/run --binary build/dev/kanmon --short
}
part_long() {
    km_build dev kanmon
    tests/everything/run --binary build/dev/kanmon
}
