# shellcheck shell=bash
# about: every example passes `kanmon config check`
# inputs: src/app/main.c examples/*.y*ml
part_short() {
    local file status
    km_build dev
    for file in examples/*.y*ml; do
        status=0
        # Values for whatever the examples take from the environment.
        env OPENAI_API_KEY=sk-example OPENROUTER_API_KEY=sk-example GROQ_API_KEY=sk-example \
            LITELLM_MASTER_KEY=sk-example build/dev/kanmon config check "$file" || status=$?
        if [ "$status" = 0 ]; then
            km_count 1 0
        else
            km_note "$file: exit $status"
            km_count 0 1
        fi
    done
}
# And the MCP servers start from their registries and list their tools.
part_long() {
    part_short
    tests/examples/run --binary build/dev/kanmon
    km_count 1 0
}
