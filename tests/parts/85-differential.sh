# shellcheck shell=bash
# about: the requests recorded with a real LiteLLM, replayed against kanmon; its settings' names
# inputs: src/app/CMakeLists.txt tests/differential/recordings/*.json
part_short() {
    km_build dev
    tests/differential/replay.py --binary build/dev/kanmon
}
part_long() {
    tests/differential/record
    tests/differential/names.py
    part_short
}
