# shellcheck shell=bash
# about: unit tests of what has threads under ThreadSanitizer
# inputs: src/sys/CMakeLists.txt tests/unit/sys/CMakeLists.txt
part_short() {
    km_build tsan
    km_ctest tsan -L unit
}
