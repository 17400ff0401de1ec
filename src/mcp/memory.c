/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - see memory.h for the contract.
 *
 *     "principal\nuri" ──> name of a server (a counted few: the string is shared)
 *     kept results: a list, oldest first, bounded in bytes
 *
 * Mentions are forgotten all at once when they are too many: what is asked for next has been named
 * lately, and will be named again.  A result is searched for the two member names before it is
 * parsed: most have neither.
 */
#include "mcp/memory.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "base/list.h"
#include "base/map.h"
#include "http/json.h"

#define LEARN_BYTES ((size_t)4 * 1024 * 1024) /* of a result that is looked through */
#define LEARN_MOST 256 /* names learnt from one result */
#define URI_MOST 2048

struct kept {
    struct km_list link;
    char id[33];
    uint64_t ends_ms;
    size_t nprincipal, n;
    char bytes[]; /* principal, then the result */
};

struct km_mcp_memory {
    pthread_mutex_t lock;
    struct km_map *mentions; /* to char *, ours */
    struct km_list kept;
    size_t bytes;
};

struct km_mcp_memory *km_mcp_memory_new(void)
{
    struct km_mcp_memory *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    km_list_init(&m->kept);
    m->mentions = km_map_new(KM_MCP_MENTIONS_MOST);
    return m->mentions ? m : km_mcp_memory_free(m);
}

struct km_mcp_memory *km_mcp_memory_free(struct km_mcp_memory *m)
{
    struct km_list *it;

    if (!m)
        return NULL;
    km_map_free(m->mentions, free);
    while ((it = km_list_pop(&m->kept)))
        free(KM_CONTAINER(it, struct kept, link));
    pthread_mutex_destroy(&m->lock);
    free(m);
    return NULL;
}

/* --- mentions --- */

static const struct km_str task_mark = { "task:", 5 };

struct learner {
    struct km_mcp_memory *m;
    struct km_arena *arena;
    struct km_str principal, server;
    unsigned left;
};

static struct km_str key_of(struct km_arena *arena, struct km_str principal, struct km_str uri)
{
    return km_arena_cat(arena, (struct km_str[]){ principal, KM_STR("\n"), uri }, 3);
}

static void learn(struct learner *l, struct km_str uri)
{
    struct km_str key = key_of(l->arena, l->principal, uri);
    char *name = malloc(l->server.n + 1);
    void *old = NULL;

    if (!name || !key.n || uri.n > URI_MOST || !l->left) {
        free(name);
        return;
    }
    l->left--;
    memcpy(name, l->server.p, l->server.n);
    name[l->server.n] = 0;
    if (km_map_count(l->m->mentions) >= KM_MCP_MENTIONS_MOST - 1) {
        km_map_free(l->m->mentions, free);
        l->m->mentions = km_map_new(KM_MCP_MENTIONS_MOST);
    }
    if (!l->m->mentions || km_map_set(l->m->mentions, key, name, &old) < 0)
        free(name);
    free(old);
}

static void walk(struct learner *l, const struct km_json *v, unsigned depth)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, s;

    if (depth > KM_JSON_DEPTH)
        return;
    for (km_json_iter(v, &it); l->left && km_json_next(&it, &key, &item);) {
        if (km_json_string(item, &s)) {
            if (km_str_eq(key, KM_STR("uri")))
                learn(l, s);
            else if (km_str_eq(key, KM_STR("taskId")))
                learn(l, km_arena_cat(l->arena, (struct km_str[]){ task_mark, s }, 2));
        } else {
            walk(l, item, depth + 1);
        }
    }
}

void km_mcp_memory_learn(struct km_mcp_memory *m, struct km_str principal, struct km_str server,
                         struct km_str result)
{
    struct km_arena arena;
    struct learner l = { m, &arena, principal, server, LEARN_MOST };
    const struct km_json *root;

    if (result.n > LEARN_BYTES || (km_str_find(result, KM_STR("\"uri\"")) == result.n &&
                                   km_str_find(result, KM_STR("\"taskId\"")) == result.n))
        return;
    km_arena_init(&arena, 8 * LEARN_BYTES, NULL);
    if (km_json_parse_answer(&arena, result, &root, NULL) == 0) {
        pthread_mutex_lock(&m->lock);
        walk(&l, root, 0);
        pthread_mutex_unlock(&m->lock);
    }
    km_arena_done(&arena);
}

struct km_str km_mcp_memory_owner(struct km_mcp_memory *m, struct km_arena *arena,
                                  struct km_str principal, struct km_str uri)
{
    struct km_str key = key_of(arena, principal, uri), name;

    pthread_mutex_lock(&m->lock);
    name = m->mentions ? km_str_c(km_map_get(m->mentions, key)) : KM_STR_NONE;
    if (name.n)
        name = km_arena_str(arena, name);
    pthread_mutex_unlock(&m->lock);
    return name;
}

/* Puts it where it belongs among the k that are there, of which the last may go. */
static size_t sorted_in(struct km_mcp_task *v, size_t k, size_t n, struct km_mcp_task task)
{
    size_t i = k < n ? k++ : n - 1;

    for (; i > 0 && km_str_cmp(task.id, v[i - 1].id) < 0; i--)
        v[i] = v[i - 1];
    v[i] = task;
    return k;
}

size_t km_mcp_memory_tasks(struct km_mcp_memory *m, struct km_arena *arena, struct km_str principal,
                           struct km_str after, struct km_mcp_task *v, size_t n)
{
    struct km_str front =
        km_arena_cat(arena, (struct km_str[]){ principal, KM_STR("\n"), task_mark }, 3);
    struct km_str key;
    void *server;
    size_t k = 0;

    if (!front.n || !n)
        return 0;
    pthread_mutex_lock(&m->lock);
    for (size_t it = 0; m->mentions && km_map_next(m->mentions, &it, &key, &server);) {
        struct km_mcp_task task = { km_str_skip(key, front.n), km_str_c(server) };

        if (km_str_starts(key, front) && km_str_cmp(task.id, after) > 0 &&
            (k < n || km_str_cmp(task.id, v[k - 1].id) < 0))
            k = sorted_in(v, k, n, task);
    }
    for (size_t i = 0; i < k; i++)
        v[i] =
            (struct km_mcp_task){ km_arena_str(arena, v[i].id), km_arena_str(arena, v[i].server) };
    pthread_mutex_unlock(&m->lock);
    return k;
}

/* --- results --- */

static void drop(struct km_mcp_memory *m, struct kept *k, struct km_list *gone)
{
    m->bytes -= k->nprincipal + k->n;
    km_list_remove(&k->link);
    km_list_push(gone, &k->link);
}

static void free_all(struct km_list *gone)
{
    struct km_list *it;

    while ((it = km_list_pop(gone)))
        free(KM_CONTAINER(it, struct kept, link));
}

static bool belongs(const struct kept *k, struct km_str principal)
{
    return km_str_eq(km_str(k->bytes, k->nprincipal), principal);
}

static struct kept *oldest(struct km_mcp_memory *m, const struct km_str *principal)
{
    KM_LIST_EACH(it, &m->kept)
    {
        struct kept *k = KM_CONTAINER(it, struct kept, link);

        if (!principal || belongs(k, *principal))
            return k;
    }
    return NULL;
}

/* What is over goes, then what is oldest: of the principal while it has too much, then of all. */
static void make_room(struct km_mcp_memory *m, struct km_str principal, size_t n, uint64_t now_ms,
                      struct km_list *gone)
{
    size_t own = 0;
    struct kept *k;

    KM_LIST_EACH(it, &m->kept)
    {
        k = KM_CONTAINER(it, struct kept, link);
        if (k->ends_ms <= now_ms)
            drop(m, k, gone);
        else if (belongs(k, principal))
            own += k->nprincipal + k->n;
    }
    while (own + n > KM_MCP_SPOOL_OF_PRINCIPAL && (k = oldest(m, &principal))) {
        own -= k->nprincipal + k->n;
        drop(m, k, gone);
    }
    while (m->bytes + n > KM_MCP_SPOOL_BYTES && (k = oldest(m, NULL)))
        drop(m, k, gone);
}

struct km_str km_mcp_memory_keep(struct km_mcp_memory *m, struct km_arena *arena,
                                 struct km_str principal, struct km_str result, uint64_t now_ms)
{
    size_t n = principal.n + result.n;
    uint8_t random[16];
    struct km_list gone;
    struct kept *k;

    km_list_init(&gone);
    if (n > KM_MCP_SPOOL_OF_PRINCIPAL || km_random(random, sizeof random, NULL) < 0)
        return KM_STR_NONE;
    k = malloc(sizeof *k + n);
    if (!k)
        return KM_STR_NONE;
    k->ends_ms = now_ms + KM_MCP_SPOOL_MS;
    k->nprincipal = principal.n;
    k->n = result.n;
    km_hex(k->id, random, sizeof random);
    memcpy(k->bytes, principal.p, principal.n);
    memcpy(k->bytes + principal.n, result.p, result.n);
    pthread_mutex_lock(&m->lock);
    make_room(m, principal, n, now_ms, &gone);
    m->bytes += n;
    km_list_push(&m->kept, &k->link);
    pthread_mutex_unlock(&m->lock);
    free_all(&gone);
    return km_arena_printf(arena, KM_MCP_SPOOL_URI "%s", k->id);
}

bool km_mcp_memory_read(struct km_mcp_memory *m, struct km_str principal, struct km_str uri,
                        uint64_t now_ms, struct km_buf *out)
{
    bool found = false;

    if (!km_str_starts(uri, KM_STR(KM_MCP_SPOOL_URI)))
        return false;
    uri = km_str_skip(uri, sizeof KM_MCP_SPOOL_URI - 1);
    pthread_mutex_lock(&m->lock);
    KM_LIST_EACH(it, &m->kept)
    {
        const struct kept *k = KM_CONTAINER(it, struct kept, link);

        if (!km_str_eq(km_str_c(k->id), uri) || !belongs(k, principal) || k->ends_ms <= now_ms)
            continue;
        km_buf_bytes(out, k->bytes + k->nprincipal, k->n);
        found = true;
        break;
    }
    pthread_mutex_unlock(&m->lock);
    return found;
}
