# shellcheck shell=bash
# about: instructions of a call by path, counted by callgrind, within 3 % of bench/budget.json
# inputs: src/app/CMakeLists.txt bench/run bench/budget.json
part_short() {
    bench/run --budget
}
