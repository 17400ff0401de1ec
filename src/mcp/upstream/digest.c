/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - is a server configured as it was? (config_part.h)
 *
 *     rows that are no secrets ──> shape: names what is kept in the store
 *        + rows that may be    ──> digest: another one is another server, and the old one ends
 *
 * Rules of safety are in neither: they are put in force without a restart (km_mcp_rules).
 */
#include "base/crypto.h"
#include "mcp/builtin.h"
#include "mcp/upstream/config_part.h"

#define TEXT_BYTES ((size_t)16 * 1024 * 1024)

static bool may_be_secret(const struct km_setting *row)
{
    return row->type == KM_SET_SECRET || row->type == KM_SET_STR_MAP;
}

static void put_row(struct km_buf *out, const struct km_setting *row, const char *at, bool secrets);

static void put_table(struct km_buf *out, const struct km_settings_table *table, const char *at,
                      bool secrets)
{
    for (const struct km_setting *r = table->rows; r->name; r++)
        put_row(out, r, at + r->offset, secrets);
}

static void put_list(struct km_buf *out, const struct km_settings_table *table,
                     const struct km_table_list *list, bool secrets)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->names)
            km_buf_json(out, list->names[i]);
        put_table(out, table, (const char *)list->v + i * table->size, secrets);
    }
}

/* A row whose rows are asked for themselves. */
static bool has_rows(const struct km_setting *row)
{
    return row->type == KM_SET_TABLE || row->type == KM_SET_TABLE_LIST ||
           row->type == KM_SET_TABLE_MAP;
}

/* secrets: those rows alone, or all others. */
static void put_row(struct km_buf *out, const struct km_setting *row, const char *at, bool secrets)
{
    const struct km_str *s = (const void *)at;
    const struct km_str_list *list = (const void *)at;
    const struct km_str_map *map = (const void *)at;

    if (!has_rows(row) && may_be_secret(row) != secrets)
        return;
    km_buf_printf(out, "%s=", row->name);
    switch (row->type) {
    case KM_SET_TABLE:
        put_table(out, row->table, at, secrets);
        break;
    case KM_SET_TABLE_LIST:
    case KM_SET_TABLE_MAP:
        put_list(out, row->table, (const void *)at, secrets);
        break;
    case KM_SET_STR:
    case KM_SET_SECRET:
        km_buf_json(out, *s);
        break;
    case KM_SET_STR_LIST:
        for (size_t i = 0; i < list->n; i++)
            km_buf_json(out, list->v[i]);
        break;
    case KM_SET_STR_MAP:
        for (size_t i = 0; i < map->n; i++) {
            km_buf_json(out, map->v[i].name);
            km_buf_json(out, map->v[i].value);
        }
        break;
    case KM_SET_NODE:
        if (*(const struct km_node *const *)(const void *)at)
            km_node_json(*(const struct km_node *const *)(const void *)at, out);
        break;
    case KM_SET_BOOL:
        km_buf_i64(out, *(const bool *)at);
        break;
    default:
        km_buf_i64(out, *(const int64_t *)(const void *)at);
    }
    km_buf_byte(out, '\n');
}

/* What may change while the server goes on: km_mcp_rules() has it. */
static bool is_rule(const struct km_setting *row)
{
    return row->offset == offsetof(struct km_mcp_entry, pin) ||
           row->offset == offsetof(struct km_mcp_entry, approve) ||
           row->offset == offsetof(struct km_mcp_entry, approve_unknown);
}

static void put_rows(struct km_buf *out, const struct km_mcp_upstream *u, bool secrets)
{
    for (const struct km_setting *row = km_mcp_entry_table.rows; row->name; row++)
        if (!is_rule(row))
            put_row(out, row, (const char *)u->entry + row->offset, secrets);
    for (const struct km_setting *row = u->settings ? u->builtin->settings->rows : NULL;
         row && row->name; row++)
        put_row(out, row, (const char *)u->settings + row->offset, secrets);
}

int km_mcp_upstream_digest(struct km_mcp_upstream *u, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);

    km_buf_json(&text, u->name);
    km_buf_json(&text, u->client_auth);
    put_rows(&text, u, false);
    km_sha256(km_buf_view(&text), u->shape);
    km_buf_json(&text, u->key_header);
    put_rows(&text, u, true);
    km_buf_printf(&text, "added=%d\n", u->added);
    if (km_buf_failed(&text))
        return km_fail(err, KM_E_LIMIT, "mcp_servers.%.*s is too large", KM_STR_ARG(u->name));
    km_sha256(km_buf_view(&text), u->digest);
    km_wipe(text.p, text.n);
    return 0;
}
