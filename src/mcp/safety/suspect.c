/* SPDX-License-Identifier: Apache-2.0 */
/* suspect.c - see suspect.h for the contract.
 *
 *     entry: kind, hash ── known by these: another text under the same name is told of anew
 *            key        ── whose lists showed it last: when those come without it, it is gone
 *
 * An array that is searched from end to end: it is short, and lists come seldom.
 */
#include "mcp/safety/suspect.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

struct entry {
    const char *kind;
    uint8_t hash[32];
    uint64_t key;
    unsigned flags;
    int64_t since_us;
    bool seen;
    size_t n;
    char name[KM_SUSPECT_NAME];
};

struct km_suspects {
    pthread_mutex_t lock;
    size_t n;
    struct entry *v; /* NULL: there never was one */
};

struct km_suspects *km_suspects_new(void)
{
    struct km_suspects *s = calloc(1, sizeof *s);

    if (s)
        pthread_mutex_init(&s->lock, NULL);
    return s;
}

struct km_suspects *km_suspects_free(struct km_suspects *s)
{
    if (!s)
        return NULL;
    pthread_mutex_destroy(&s->lock);
    free(s->v);
    free(s);
    return NULL;
}

static struct entry *find(struct km_suspects *s, const struct km_suspect *like)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->v[i].kind, like->kind) == 0 &&
            memcmp(s->v[i].hash, like->hash, sizeof s->v[i].hash) == 0)
            return &s->v[i];
    return NULL;
}

static void add(struct km_suspects *s, uint64_t key, const struct km_suspect *like)
{
    struct km_str name = km_str_sub(like->name, 0, KM_SUSPECT_NAME);
    struct entry *e;

    if (!s->v)
        s->v = calloc(KM_SUSPECTS_MOST, sizeof *s->v);
    if (!s->v || s->n == KM_SUSPECTS_MOST)
        return;
    e = &s->v[s->n++];
    *e = (struct entry){ .kind = like->kind,
                         .key = key,
                         .flags = like->flags,
                         .since_us = km_wall_us(),
                         .seen = true,
                         .n = name.n };
    memcpy(e->hash, like->hash, sizeof e->hash);
    if (name.n)
        memcpy(e->name, name.p, name.n);
}

void km_suspects_look(struct km_suspects *s, uint64_t key, const struct km_suspect *v, size_t n,
                      km_suspect_fn *news, void *ctx)
{
    size_t kept = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n; i++)
        s->v[i].seen = false;
    for (size_t i = 0; i < n; i++) {
        struct entry *e = find(s, &v[i]);

        if (e) {
            e->key = key;
            e->seen = true;
            continue;
        }
        add(s, key, &v[i]);
        news(ctx, &v[i]);
    }
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].seen || s->v[i].key != key)
            s->v[kept++] = s->v[i];
    s->n = kept;
    pthread_mutex_unlock(&s->lock);
}

void km_suspects_json(struct km_suspects *s, struct km_str server, struct km_buf *out)
{
    char when[KM_TIME_ISO_LEN + 1];

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n; i++) {
        const struct entry *e = &s->v[i];

        km_time_iso(e->since_us, when);
        km_buf_str(out, i ? KM_STR(",{\"server\":") : KM_STR("{\"server\":"));
        km_buf_json(out, server);
        km_buf_printf(out, ",\"kind\":\"%s\",\"name\":", e->kind);
        km_buf_json(out, km_str(e->name, e->n));
        km_buf_str(out, KM_STR(",\"state\":\"flagged\",\"flags\":"));
        km_scan_words(e->flags, out);
        km_buf_printf(out, ",\"since\":\"%s\"}", when);
    }
    pthread_mutex_unlock(&s->lock);
}
