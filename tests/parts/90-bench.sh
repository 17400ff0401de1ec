# shellcheck shell=bash
# about: the benchmark in small: every answer right, every count exact
# inputs: src/app/CMakeLists.txt bench/run
part_short() {
    bench/run --smoke --only kanmon
    bench/run --mcp --smoke --only direct,kanmon,kanmon-stdio
}
# The trained build, too, and whether it answers as the plain one does.
part_long() {
    part_short
    scripts/train
    bench/run --smoke --trained --only kanmon
    bench/run --mcp --smoke --trained --only direct,kanmon,kanmon-stdio
    tests/mcp/run --binary build/trained/kanmon
}
