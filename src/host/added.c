/* SPDX-License-Identifier: Apache-2.0 */
/* added.c - see added.h.
 *
 * A short list of names and texts, in the order in which they came; credentials are in the texts,
 * so they are wiped when they go.  What an entry means is not known here: that is the settings
 * engine's, which sees it as a part of the configuration.
 */
#include "host/added.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "store/mcp_servers.h"

struct row {
    char *bytes; /* the name, then the text */
    struct km_str name, json;
};

struct km_mcp_added {
    struct row v[KM_MCP_ADDED_MOST];
    size_t n, bytes;
};

struct km_mcp_added *km_mcp_added_new(void)
{
    return calloc(1, sizeof(struct km_mcp_added));
}

static void row_done(struct row *r)
{
    if (r->bytes)
        km_wipe(r->bytes, r->name.n + r->json.n);
    free(r->bytes);
    *r = (struct row){ 0 };
}

struct km_mcp_added *km_mcp_added_free(struct km_mcp_added *a)
{
    for (size_t i = 0; a && i < a->n; i++)
        row_done(&a->v[i]);
    free(a);
    return NULL;
}

static size_t index_of(const struct km_mcp_added *a, struct km_str name)
{
    size_t i = 0;

    while (i < a->n && !km_str_eq(a->v[i].name, name))
        i++;
    return i;
}

size_t km_mcp_added_count(const struct km_mcp_added *a)
{
    return a->n;
}

struct km_str km_mcp_added_get(const struct km_mcp_added *a, struct km_str name)
{
    size_t i = index_of(a, name);

    return i < a->n ? a->v[i].json : KM_STR_NONE;
}

static void remove_at(struct km_mcp_added *a, size_t i)
{
    a->bytes -= a->v[i].name.n + a->v[i].json.n;
    row_done(&a->v[i]);
    memmove(&a->v[i], &a->v[i + 1], (a->n - i - 1) * sizeof a->v[0]);
    a->v[--a->n] = (struct row){ 0 };
}

int km_mcp_added_set(struct km_mcp_added *a, struct km_str name, struct km_str json,
                     struct km_err *err)
{
    const size_t i = index_of(a, name), size = name.n + json.n;
    struct row row = { 0 };

    if (!json.n) {
        if (i < a->n)
            remove_at(a, i);
        return 0;
    }
    if (i == KM_MCP_ADDED_MOST || a->bytes + size > KM_MCP_ADDED_BYTES)
        return km_fail(err, KM_E_LIMIT, "There are too many MCP servers; %d can be added.",
                       KM_MCP_ADDED_MOST);
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

static int each(void *ctx, const struct km_mcp_server_row *row, struct km_err *err)
{
    return km_mcp_added_set(ctx, row->name, row->json, err);
}

int km_mcp_added_load(struct km_mcp_added *a, struct km_store *store, size_t *ret_lost,
                      struct km_err *err)
{
    return km_store_mcp_servers(store, each, a, ret_lost, err);
}

void km_mcp_added_text(const struct km_mcp_added *a, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"mcp_servers\":{"));
    for (size_t i = 0; i < a->n; i++) {
        if (i)
            km_buf_byte(out, ',');
        km_buf_json(out, a->v[i].name);
        km_buf_byte(out, ':');
        km_buf_str(out, a->v[i].json);
    }
    km_buf_str(out, KM_STR("}}"));
}
