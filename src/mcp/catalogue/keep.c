/* SPDX-License-Identifier: Apache-2.0 */
/* keep.c - catalogues in the store, so that a start has them at once (desk.h).
 *
 * Kept is what askers without anything of their own are shown; the others are asked for again.  A
 * row counts only while the server is configured as it was: `shape` is a digest of its settings
 * without secrets, headers and environment.  What was found is marked from_store, and asked for
 * when it is first wanted.
 */
#include "base/encode.h"
#include "mcp/catalogue/catalogue.h"
#include "mcp/desk.h"
#include "store/catalogues.h"

static const uint8_t plain[KM_MCP_KEY];

void km_catalogue_keep(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                       const uint8_t key[KM_MCP_KEY], bool changed)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(KM_CATALOGUE_BYTES);
    struct km_mcp_catalogue *c;
    char shape[65];

    if (!d->ups->store || !changed || d->ending || memcmp(key, plain, KM_MCP_KEY) != 0)
        return;
    c = km_mcp_live_catalogue(u->live, key, NULL);
    km_catalogue_json(c, &json);
    km_mcp_catalogue_unref(c);
    km_hex(shape, u->shape, sizeof u->shape);
    if (!km_buf_failed(&json))
        km_store_catalogue_put(d->ups->store, d->mailbox, u->name, km_str(shape, 64),
                               km_buf_view(&json), NULL, NULL);
}

struct loading {
    struct km_mcp_upstreams *ups;
    const struct km_mcp_set *set;
};

static void each_row(void *ctx, struct km_str server, struct km_str shape, struct km_str json)
{
    const struct loading *l = ctx;
    struct km_mcp_upstream *u = km_mcp_set_find(l->set, server);
    struct km_mcp_catalogue *c;
    char hex[65];

    if (!u || !km_str_eq(u->name, server))
        return;
    km_hex(hex, u->shape, sizeof u->shape);
    if (!km_str_eq(shape, km_str(hex, 64)) || km_catalogue_read(json, &c, NULL) < 0)
        return;
    km_catalogue_look(l->ups, u, c, SIZE_MAX, plain, KM_STR_NONE);
    km_mcp_live_load(u->live, c);
}

int km_mcp_upstreams_load(struct km_mcp_upstreams *ups, struct km_mcp_set *set, struct km_err *err)
{
    struct loading l = { ups, set };
    int r = ups->store ? km_pins_load(ups->pins, ups->store, err) : 0;

    return ups->store && r == 0 ? km_store_catalogues(ups->store, each_row, &l, err) : r;
}
