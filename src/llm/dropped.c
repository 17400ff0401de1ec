/* SPDX-License-Identifier: Apache-2.0 */
/* dropped.c - see dropped.h. */
#include "llm/dropped.h"

#include "http/json_take.h"

void km_dropped_note(struct km_dropped *d, struct km_str name)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++)
        if (km_str_eq(d->v[i], name))
            return;
    d->more = d->more || d->n == KM_DROPPED_MOST;
    if (d->n < KM_DROPPED_MOST)
        d->v[d->n++] = km_arena_str(d->arena, name);
}

struct left {
    struct km_dropped *to;
    const char *const *idle;
};

static void note_left(void *ctx, struct km_str place)
{
    const struct left *l = ctx;

    for (size_t i = 0; l->idle && l->idle[i]; i++)
        if (km_str_eq(place, km_str_c(l->idle[i])))
            return;
    km_dropped_note(l->to, place);
}

void km_dropped_left(struct km_dropped *d, const struct km_json *root, const char *const *idle)
{
    struct left l = { d, idle };

    km_json_left(root, note_left, &l);
}

void km_dropped_write(const struct km_dropped *d, struct km_buf *out)
{
    for (size_t i = 0; i < d->n; i++) {
        if (i)
            km_buf_str(out, KM_STR(", "));
        km_buf_str(out, d->v[i]);
    }
    if (d->more)
        km_buf_str(out, KM_STR(", ..."));
}
