# shellcheck shell=bash
# about: clang build, unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
# inputs: src/*/CMakeLists.txt tests/unit/*/CMakeLists.txt
# One build is all three: the other compiler, the sanitizers, and (part fuzz) the fuzzers.
part_short() {
    km_build asan
    km_ctest asan -L unit
}
