# shellcheck shell=bash
# about: clang-tidy 16, every warning an error
# inputs: src/*/CMakeLists.txt .clang-tidy
# The preset `tidy` runs it while building, so a kept build/tidy looks again only at what
# changed.  The tests are not looked at: the analyzer does not know that a failed assertion
# of cmocka ends the test.
part_short() {
    clang-tidy-16 --verify-config || km_die ".clang-tidy names a check version 16 does not know"
    km_build tidy
}
