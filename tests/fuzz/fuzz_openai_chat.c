/* SPDX-License-Identifier: Apache-2.0 */
/* Inbound bodies of OpenAI's APIs, read into the canonical chat and written again.
 *
 * The first byte chooses the API.  What decodes must be writable as an OpenAI body (or be
 * refused), and what was written is JSON that a chat decodes once more, and writes as the same:
 * nothing is lost or added by another time through.
 */
#include "fuzz.h"

#include "llm/api/openai.h"
#include "llm/api/responses.h"
#include "llm/provider/codecs.h"

#define MAX_INPUT ((size_t)1 << 16)

static const struct km_provider row = { .name = "test",
                                        .max_tokens = "max_tokens",
                                        .reasoning = "reasoning_content",
                                        .top_k = true,
                                        .cache_control = true };
static struct km_deployment deployment = { .provider = &row, .provider_name = { "test", 4 } };

/* What a model calls is found in the request again; of a group, by both names. */
static void look_up_tools(const struct km_llm_request *r, const struct km_chat *chat,
                          struct km_arena *arena)
{
    for (const struct km_tool *t = chat->tools; t; t = t->next) {
        struct km_responses_tool found = km_responses_tool(r, t->name, arena);

        must(!t->name.n || found.name.n || km_arena_overflowed(arena));
        if (found.group.n)
            must(km_str_eq(km_responses_flat(found.group, found.name, arena), t->name) ||
                 km_arena_overflowed(arena));
    }
}

static int decode(const struct km_llm_api *api, struct km_arena *arena, struct km_str body,
                  struct km_chat *chat)
{
    struct km_llm_request r;
    const struct km_json *root;
    int e = km_llm_request_parse(&r, api, arena, body, KM_STR_NONE, NULL);

    if (e == 0)
        e = km_json_parse(arena, body, &root, NULL);
    if (e == 0)
        e = api->decode(&r, root, arena, chat, NULL);
    if (e == 0 && api == &km_api_responses)
        look_up_tools(&r, chat, arena);
    return e;
}

static struct km_str encode(struct km_arena *arena, const struct km_chat *chat)
{
    struct km_encode_args args = {
        .d = &deployment, .model = KM_STR("up"), .arena = arena, .max_tokens = -1
    };
    struct km_json_out out;
    struct km_str *parts, body = KM_STR_NONE;
    size_t n;

    km_json_out_parts_init(&out, arena, 1 << 24);
    if (km_codec_openai.encode(&args, chat, &out, NULL) == 0 &&
        km_json_out_parts(&out, &parts, &n, NULL) == 0)
        body = km_arena_cat(arena, parts, n);
    km_json_out_done(&out);
    return body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct km_llm_api *const apis[] = { &km_api_chat, &km_api_completion,
                                                     &km_api_responses };
    struct km_arena arena;
    struct km_chat chat, again;
    struct km_str body;

    if (size < 2 || size > MAX_INPUT)
        return 0;
    km_arena_init(&arena, 64 << 20, NULL);
    body = km_arena_str(&arena, km_str((const char *)data + 1, size - 1));
    if (decode(apis[data[0] % 3], &arena, body, &chat) == 0) {
        body = encode(&arena, &chat);
        if (body.n && chat.messages && !km_arena_overflowed(&arena)) {
            const struct km_json *root;

            must(km_json_parse(&arena, body, &root, NULL) == 0);
            if (km_json_count(km_json_get(root, "messages")) > 0) {
                int r = km_api_chat.decode(NULL, root, &arena, &again, NULL);

                must(r == 0 || r == KM_E_NOMEM || r == KM_E_INVALID || r == KM_E_LIMIT);
                if (r == 0 && !km_arena_overflowed(&arena)) {
                    struct km_str twice = encode(&arena, &again);

                    must(km_str_eq(twice, body) || km_arena_overflowed(&arena));
                }
            }
        }
    }
    km_arena_done(&arena);
    return 0;
}
