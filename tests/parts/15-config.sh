# shellcheck shell=bash
# about: YAML means what it means to PyYAML; the JSON Schema is one; LiteLLM's keys and files
# inputs: src/config/CMakeLists.txt tests/unit/config/compare.py
config_compare() { # config_compare N: N random documents besides the corpus
    . scripts/lib/tools.sh
    km_build dev config_tool kanmon
    km_python tests/unit/config/requirements.lock
    "$KM_PYTHON" tests/unit/config/compare.py build/dev/tests/unit/config/config_tool --many "$1"
    tests/litellm/rows.py build/dev/kanmon
    "$KM_PYTHON" tests/litellm/survey_check.py build/dev/kanmon
}
part_short() { config_compare 20000; }
part_long() { config_compare 2000000; }
