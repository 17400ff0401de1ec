# shellcheck shell=bash
# about: clang-tidy 16, every warning an error
# inputs: src/*/CMakeLists.txt .clang-tidy
# The preset `tidy` runs it while building, so a kept build/tidy looks again only at what
# changed.  The tests are not looked at: the analyzer does not know that a failed assertion
# of cmocka ends the test.
tidy_all() { # tidy_all NODES: how far the analyzer follows one function
    clang-tidy-16 --verify-config || km_die ".clang-tidy names a check version 16 does not know"
    cmake --preset tidy -DKANMON_TIDY_NODES="$1" >/dev/null
    km_build tidy
}
part_short() { tidy_all 15000; }
part_long() { tidy_all 225000; }
