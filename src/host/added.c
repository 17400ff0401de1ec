/* SPDX-License-Identifier: Apache-2.0 */
/* added.c - see added.h.
 *
 * A short list of names and texts, in the order in which they came; credentials are in the texts,
 * so they are wiped when they go.  What an entry means is not known here: that is the settings
 * engine's, which sees it as a part of the configuration.
 *
 *     {"model_list":[        line 1
 *     {...},                 line 2: the first that is not left out
 *     {...}                  line 3
 *     ]}
 */
#include "host/added.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "llm/model_settings.h"
#include "mcp/upstream/upstream.h"
#include "store/mcp_servers.h"
#include "store/models.h"

#define FIRST_LINE 2

const struct km_added_sort km_added_servers = {
    .section = "mcp_servers",
    .what = "MCP servers",
    .place = KM_MCP_ADDED_NAME,
    .event = "mcp.added",
    .most = KM_MCP_ADDED_MOST,
    .bytes = KM_MCP_ADDED_BYTES,
};

const struct km_added_sort km_added_models = {
    .section = "model_list",
    .what = "models",
    .place = KM_MODEL_STORED_NAME,
    .event = "model.stored",
    .most = KM_MODELS_ADDED_MOST,
    .bytes = KM_MODELS_ADDED_BYTES,
    .list = true,
};

struct row {
    char *bytes; /* the name, then the text */
    struct km_str name, json;
    bool out; /* it does not go with today's file */
};

struct km_added {
    const struct km_added_sort *sort;
    size_t n, bytes;
    struct row v[];
};

struct km_added *km_added_new(const struct km_added_sort *sort)
{
    struct km_added *a = calloc(1, sizeof *a + sort->most * sizeof a->v[0]);

    if (a)
        a->sort = sort;
    return a;
}

static void row_done(struct row *r)
{
    if (r->bytes)
        km_wipe(r->bytes, r->name.n + r->json.n);
    free(r->bytes);
    *r = (struct row){ 0 };
}

struct km_added *km_added_free(struct km_added *a)
{
    for (size_t i = 0; a && i < a->n; i++)
        row_done(&a->v[i]);
    free(a);
    return NULL;
}

const struct km_added_sort *km_added_sort_of(const struct km_added *a)
{
    return a->sort;
}

static size_t index_of(const struct km_added *a, struct km_str name)
{
    size_t i = 0;

    while (i < a->n && !km_str_eq(a->v[i].name, name))
        i++;
    return i;
}

size_t km_added_count(const struct km_added *a)
{
    return a->n;
}

struct km_str km_added_get(const struct km_added *a, struct km_str name)
{
    size_t i = index_of(a, name);

    return i < a->n ? a->v[i].json : KM_STR_NONE;
}

static void remove_at(struct km_added *a, size_t i)
{
    a->bytes -= a->v[i].name.n + a->v[i].json.n;
    row_done(&a->v[i]);
    memmove(&a->v[i], &a->v[i + 1], (a->n - i - 1) * sizeof a->v[0]);
    a->v[--a->n] = (struct row){ 0 };
}

static int check_room(const struct km_added *a, size_t i, size_t size, struct km_err *err)
{
    const size_t before = i < a->n ? a->v[i].name.n + a->v[i].json.n : 0;

    if (i == a->sort->most)
        return km_fail(err, KM_E_LIMIT, "There are too many %s; %zu can be added.", a->sort->what,
                       a->sort->most);
    if (a->bytes - before + size > a->sort->bytes)
        return km_fail(err, KM_E_LIMIT,
                       "The %s that were added have too many bytes; all of them "
                       "can have %zu.",
                       a->sort->what, a->sort->bytes);
    return 0;
}

int km_added_set(struct km_added *a, struct km_str name, struct km_str json, struct km_err *err)
{
    const size_t i = index_of(a, name), size = name.n + json.n;
    struct row row = { 0 };
    int r;

    if (!json.n) {
        if (i < a->n)
            remove_at(a, i);
        return 0;
    }
    r = check_room(a, i, size, err);
    if (r < 0)
        return r;
    row.bytes = malloc(size);
    if (!row.bytes)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    memcpy(row.bytes, name.p, name.n);
    memcpy(row.bytes + name.n, json.p, json.n);
    row.name = km_str(row.bytes, name.n);
    row.json = km_str(row.bytes + name.n, json.n);
    if (i < a->n) {
        a->bytes -= a->v[i].name.n + a->v[i].json.n;
        row_done(&a->v[i]);
    } else {
        a->n++;
    }
    a->v[i] = row;
    a->bytes += size;
    return 0;
}

static int each_server(void *ctx, const struct km_mcp_server_row *row, struct km_err *err)
{
    return km_added_set(ctx, row->name, row->json, err);
}

int km_added_load_servers(struct km_added *a, struct km_store *store, size_t *ret_lost,
                          struct km_err *err)
{
    return km_store_mcp_servers(store, each_server, a, ret_lost, err);
}

static int each_model(void *ctx, const struct km_model_row *row, struct km_err *err)
{
    return km_added_set(ctx, row->id, row->json, err);
}

int km_added_load_models(struct km_added *a, struct km_store *store, size_t *ret_lost,
                         struct km_err *err)
{
    return km_store_models(store, each_model, a, ret_lost, err);
}

void km_added_text(const struct km_added *a, struct km_buf *out)
{
    bool first = true;

    for (size_t i = 0; i < a->n; i++) {
        if (a->v[i].out)
            continue;
        if (first)
            km_buf_printf(out, "{\"%s\":%c\n", a->sort->section, a->sort->list ? '[' : '{');
        else
            km_buf_str(out, KM_STR(",\n"));
        first = false;
        if (!a->sort->list) {
            km_buf_json(out, a->v[i].name);
            km_buf_byte(out, ':');
        }
        km_buf_str(out, a->v[i].json);
    }
    if (!first)
        km_buf_printf(out, "\n%c}", a->sort->list ? ']' : '}');
}

struct km_str km_added_leave_out(struct km_added *a, unsigned line)
{
    unsigned at = FIRST_LINE;
    struct km_str name = KM_STR_NONE;

    for (size_t i = 0; i < a->n; i++) {
        if (a->v[i].out)
            continue;
        if (line == 0 || at++ == line) {
            a->v[i].out = true;
            name = a->v[i].name;
            if (line)
                return name;
        }
    }
    return name;
}
