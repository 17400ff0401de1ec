# shellcheck shell=bash
# about: the requests recorded with a real LiteLLM, replayed against kanmon; its names and costs
# inputs: src/app/CMakeLists.txt tests/differential/recordings/*.json tests/differential/params.json
part_short() {
    km_build dev
    tests/differential/params.py
    tests/differential/replay.py --binary build/dev/kanmon
}
part_long() {
    tests/differential/record
    tests/differential/params.py --venv build/litellm
    tests/differential/names.py
    tests/differential/costs.py --venv build/litellm
    part_short
}
