/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of Realtime events.
 *
 * Whatever is taken is an object the parser takes too (of a client's, in its strict form), its
 * model lies where it is said to lie, and no count is negative.
 */
#include "fuzz.h"

#include "llm/api/realtime.h"

static void look(struct km_arena *arena, struct km_str text, bool client,
                 const struct km_rt_event *e)
{
    const struct km_usage *u = &e->usage;
    const struct km_json *root;

    must((client ? km_json_parse(arena, text, &root, NULL)
                 : km_json_parse_answer(arena, text, &root, NULL)) == 0);
    must(km_json_kind(root) == KM_JSON_OBJECT);
    must(e->type.n > 0 && e->max_output >= KM_RT_OUTPUT_NONE);
    if (e->model_value.n)
        must(e->model_value.p > text.p && e->model_value.p + e->model_value.n < text.p + text.n);
    must(u->prompt_tokens >= 0 && u->completion_tokens >= 0 && u->cached_tokens >= 0 &&
         u->audio_tokens >= 0 && u->audio_ms >= 0 && u->audio_completion_tokens >= 0);
    must(km_rt_tokens_upper(e, text) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    struct km_str text = { copy, size };
    struct km_rt_event e;
    struct km_arena arena;

    if (size)
        memcpy(copy, data, size);
    km_arena_init(&arena, (size_t)16 << 20, NULL);
    if (km_rt_read_client(&arena, text, &e, NULL) == 0)
        look(&arena, text, true, &e);
    if (km_rt_read_upstream(&arena, text, &e, NULL) == 0)
        look(&arena, text, false, &e);
    km_arena_done(&arena);
    free(copy);
    return 0;
}
