# shellcheck shell=bash
# about: what calls cost, every kind of them ended in every way, sanitized, with a vendor that keeps books
# inputs: src/app/CMakeLists.txt tests/money/run
part_short() {
    km_build asan kanmon
    tests/money/run --binary build/asan/kanmon
}
part_long() {
    km_build release
    tests/money/run --long --binary build/release/kanmon
}
