/* SPDX-License-Identifier: Apache-2.0 */
/* counters.c - see counters.h.
 *
 * A request is read as if it were to be answered, and what it says is counted by the rule of
 * messages_count.c.  One that cannot be read so is counted as the text that it is: whoever counts
 * in order to fit a window gets a number that is near, and no error.
 */
#include "llm/api/counters.h"

#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"

#define SCRATCH_MOST ((size_t)256 * 1024 * 1024)

typedef int decode_fn(const struct km_llm_request *r, const struct km_json *root,
                      struct km_arena *arena, struct km_chat *ret_chat, struct km_err *err);

/* tokens: what to say where it cannot be read. */
static int64_t count_as(const struct km_llm_request *r, decode_fn *decode, int64_t tokens)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;
    struct km_chat chat;

    km_arena_init(&scratch, SCRATCH_MOST, NULL);
    km_chat_init(&chat);
    if (km_llm_parse_body(&scratch, r->body, &root, NULL) < 0 ||
        decode(r, root, &scratch, &chat, NULL) < 0)
        return tokens;
    return km_messages_count_chat(&chat);
}

static int parse_responses(struct km_llm_request *r, struct km_arena *arena,
                           struct km_str path_model, struct km_err *err)
{
    return km_api_responses.parse(r, arena, path_model, err);
}

static void count_responses(const struct km_llm_request *r, int64_t tokens, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"object\":\"response.input_tokens\",\"input_tokens\":"));
    km_buf_i64(out, count_as(r, km_responses_decode, tokens));
    km_buf_byte(out, '}');
}

const struct km_llm_api km_api_count_responses = {
    .path = "/responses/input_tokens",
    .call_type = "acount_tokens",
    .required = "input",
    .wire = KM_WIRE_COUNT_HERE,
    .dialect = KM_DIALECT_OPENAI,
    .parse = parse_responses,
    .count = count_responses,
};

/* --- LiteLLM's --- */

enum member {
    T_MODEL,
    T_MESSAGES,
    T_PROMPT,
    T_CONTENTS,
    T_OWN,
    T_COUNT = T_OWN + KM_LLM_OWN_COUNT
};

static const struct km_str members[T_COUNT] = {
    { "model", 5 }, { "messages", 8 }, { "prompt", 6 }, { "contents", 8 }, KM_LLM_OWN_NAMES,
};

static int parse(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                 struct km_err *err)
{
    int e = km_llm_read_members(r, arena, members, T_COUNT, err);

    if (e == 0)
        e = km_llm_read_model(r, arena, path_model, T_MODEL, NULL, err);
    if (e == 0 && !km_llm_present(r, T_MESSAGES) && !km_llm_present(r, T_PROMPT) &&
        !km_llm_present(r, T_CONTENTS))
        return km_fail_param(err, KM_E_INVALID, "messages",
                             "/utils/token_counter: prompt or messages or contents must be "
                             "provided.");
    if (e == 0)
        e = km_llm_read_own(r, &r->spans[T_OWN], err);
    r->prompt = r->body;
    return e;
}

static int64_t count_any(const struct km_llm_request *r, int64_t tokens)
{
    if (km_llm_present(r, T_MESSAGES))
        return count_as(r, km_openai_decode, tokens);
    if (km_llm_present(r, T_CONTENTS))
        return count_as(r, km_gemini_read, tokens);
    return r->spans[T_PROMPT].type == KM_JSON_STRING ? km_tokens_estimate(km_llm_value(r, T_PROMPT))
                                                     : tokens;
}

static void count(const struct km_llm_request *r, int64_t tokens, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"total_tokens\":"));
    km_buf_i64(out, count_any(r, tokens));
    km_buf_str(out, KM_STR(",\"request_model\":"));
    km_buf_json(out, r->model);
    km_buf_str(out, KM_STR(",\"model_used\":"));
    km_buf_json(out, r->model);
    km_buf_str(out, KM_STR(",\"tokenizer_type\":\"estimate\",\"original_response\":null}"));
}

const struct km_llm_api km_api_token_counter = {
    .path = "/utils/token_counter",
    .call_type = "acount_tokens",
    .required = "messages",
    .wire = KM_WIRE_COUNT_HERE,
    .dialect = KM_DIALECT_OPENAI,
    .parse = parse,
    .count = count,
};
