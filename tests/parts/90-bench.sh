# shellcheck shell=bash
# about: the benchmark in small: every answer right, every count exact
# inputs: src/app/CMakeLists.txt bench/run
part_short() {
    bench/run --smoke --only kanmon
    bench/run --mcp --smoke --only direct,kanmon,kanmon-stdio
}
