# shellcheck shell=bash
# about: scripts/quickstart twice, as a newcomer runs it, on a free port
# inputs: src/app/main.c
part_short() {
    local dir port out status=0
    dir=$(mktemp -d)
    port=$(PYTHONPATH=tests/e2e/lib python3 -B -c 'import ports; print(ports.free_port())')
    # No provider of this machine's is asked: the answer is the gateway's own.
    newcomer() {
        env -u OPENAI_API_KEY -u ANTHROPIC_API_KEY -u GEMINI_API_KEY -u GROQ_API_KEY \
            -u MISTRAL_API_KEY -u DEEPSEEK_API_KEY -u OPENROUTER_API_KEY -u LITELLM_MASTER_KEY \
            -u AWS_ACCESS_KEY_ID -u AWS_PROFILE -u AWS_BEARER_TOKEN_BEDROCK \
            ./scripts/quickstart --port "$port" --dir "$dir"
    }
    {
        newcomer && newcomer
    } >"$dir/out" 2>&1 || status=$?
    out=$(cat "$dir/out")
    printf '%s\n' "$out"
    [ ! -x build/release/kanmon ] || build/release/kanmon stop --config "$dir/config.yaml" || status=1
    rm -rf "$dir"
    [ $status = 0 ] || km_die "quickstart or stop failed"
    [ "$(grep -c 'answer: Hello from kanmon' <<<"$out")" = 2 ] || km_die "no answer in both runs"
    grep -q 'the key made before still works' <<<"$out" || km_die "the second run made another key"
}
