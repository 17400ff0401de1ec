# shellcheck shell=bash
# about: unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
# inputs: src/*/CMakeLists.txt tests/unit/*/CMakeLists.txt
part_short() {
    km_build asan
    km_ctest asan -L unit
}
