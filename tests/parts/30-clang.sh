# shellcheck shell=bash
# about: clang build, unit tests
# inputs: src/*/CMakeLists.txt tests/unit/*/CMakeLists.txt
part_short() {
    km_build clang
    km_ctest clang -L unit
}
