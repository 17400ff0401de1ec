# shellcheck shell=bash
# about: servers and clients that people run, directly and through kanmon the same
# inputs: src/gateway/mcp/later.c tests/real/run
part_short() {
    km_build dev kanmon
    tests/real/run --binary build/dev/kanmon
}
# And Claude Code and Codex call a tool with all of the servers there.
part_long() {
    km_build release
    tests/real/run --long --binary build/release/kanmon
    tests/real/run --long --binary build/release/kanmon --programs
}
