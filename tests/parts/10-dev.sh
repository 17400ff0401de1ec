# shellcheck shell=bash
# about: gcc build, unit tests
# inputs: src/*/CMakeLists.txt tests/unit/*/CMakeLists.txt
part_short() {
    km_build dev
    km_ctest dev -L unit
}
