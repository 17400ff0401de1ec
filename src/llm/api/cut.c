/* SPDX-License-Identifier: Apache-2.0 */
/* cut.c - a passed-through stream that is ended before its upstream ends it: what all APIs share.
 *
 *     events ──> client            ... │ cut: the API's last events ──> client
 *        └── ids, what is open ──> s->tail ──┘
 *
 * The gateway ends a stream early when a key's money is spent, or when an upstream writes on past
 * its bound.  Its client is told what it would be told by the upstream had its bound been there:
 * every dialect has a word for that (`length`, `max_tokens`, MAX_TOKENS, `incomplete`), and client
 * libraries hand on what they got.  An error in its place would throw all of that away.
 *
 * What is open when a stream is cut is closed as the API closes it; nothing is said that did not
 * come, and a tool's input is left as far as it got.
 */
#include "llm/api/cut.h"

#define EVENT_MOST ((size_t)64 * 1024 * 1024)

int km_llm_stream_cut(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_err *err)
{
    const struct km_llm_api *api = s->request->api;
    int r = 0;

    if (!api || !api->cut || !s->arena || s->error)
        return km_fail(err, KM_E_UNSUPPORTED, "This stream cannot be ended but by an error.");
    if (!s->done)
        r = api->cut(s, c, err);
    if (r < 0)
        return r;
    s->cut = s->done = true;
    s->usage = c->usage;
    return 0;
}

int km_cut_say(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_str type,
               struct km_str data, struct km_err *err)
{
    struct km_buf raw KM_CLEANUP(km_buf_done) = KM_BUF(EVENT_MOST);
    struct km_sse_event event = { .type = type, .data = data, .has_data = true, .retry_ms = -1 };

    km_sse_write(&raw, type, data);
    if (km_buf_failed(&raw) || km_arena_overflowed(s->scratch))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    event.raw = km_buf_view(&raw);
    return c->say(c->ctx, &event, err);
}

bool km_cut_choices_init(struct km_cut_choices *c, struct km_arena *arena, int64_t n)
{
    c->n = n < 1 ? 1 : n > KM_CUT_CHOICES_MOST ? KM_CUT_CHOICES_MOST : (size_t)n;
    c->v = km_arena_zalloc(arena, c->n);
    return c->v != NULL;
}

void km_cut_choices_note(struct km_cut_choices *c, const struct km_arena *like, struct km_str array,
                         const char *finish)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root, *one;
    struct km_json_iter it;
    struct km_str key, why;
    int64_t at = 0;

    km_arena_init(&scratch, like->cap, like->pool);
    if (km_json_parse_answer(&scratch, array, &root, NULL) < 0)
        return;
    for (km_json_iter(root, &it); km_json_next(&it, &key, &one); at++) {
        int64_t i = at;

        (void)km_json_i64(km_json_get(one, "index"), &i);
        if (i < 0 || (uint64_t)i >= c->n)
            continue;
        if (km_json_string(km_json_get(one, finish), &why))
            c->v[i] = KM_CUT_OVER;
        else if (c->v[i] == KM_CUT_UNSEEN)
            c->v[i] = KM_CUT_OPEN;
    }
}

bool km_cut_choices_seen(const struct km_cut_choices *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i] != KM_CUT_UNSEEN)
            return true;
    return false;
}

struct km_str km_cut_id(const struct km_llm_stream *s, const struct km_llm_cut *c,
                        const char *prefix)
{
    struct km_str id = km_arena_cat(s->scratch, (struct km_str[]){ km_str_c(prefix), c->id }, 2);

    return km_llm_json_string(s->scratch, id);
}

struct km_str km_cut_model(const struct km_llm_stream *s, struct km_str upstream)
{
    return km_cut_or(km_cut_or(s->model_json, upstream),
                     km_llm_json_string(s->scratch, s->request->model));
}
