/* SPDX-License-Identifier: Apache-2.0 */
/* dropped.c - see dropped.h. */
#include "llm/dropped.h"

#include "http/json_take.h"

/* It is a caller's or an upstream's own, and goes into a header's value. */
static struct km_str clean(struct km_str name, char *room)
{
    size_t n = name.n < KM_JSON_PLACE ? name.n : KM_JSON_PLACE;

    for (size_t i = 0; i < n; i++)
        room[i] = (char)(name.p[i] > ' ' && name.p[i] < 0x7f && name.p[i] != ',' ? name.p[i] : '?');
    return km_str(room, n);
}

void km_dropped_note(struct km_dropped *d, struct km_str name)
{
    char room[KM_JSON_PLACE];

    if (!d)
        return;
    name = clean(name, room);
    for (size_t i = 0; i < d->n; i++)
        if (km_str_eq(d->v[i], name))
            return;
    if (!d->v)
        d->v = km_arena_alloc(d->arena, KM_DROPPED_MOST * sizeof *d->v);
    d->more = d->more || !d->v || d->n == KM_DROPPED_MOST;
    if (d->v && d->n < KM_DROPPED_MOST)
        d->v[d->n++] = km_arena_str(d->arena, name);
}

static void note_left(void *ctx, struct km_str place)
{
    km_dropped_note(ctx, place);
}

void km_dropped_left(struct km_dropped *d, const struct km_json *root, const struct km_str *idle)
{
    km_json_left(root, idle, note_left, d);
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
