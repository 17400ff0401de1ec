# shellcheck shell=bash
# about: layers, headers, banned functions, layout, sizes, words, scripts
# inputs: src/*/CMakeLists.txt
part_short() {
    km_build dev
    km_ctest dev -L lint
}
