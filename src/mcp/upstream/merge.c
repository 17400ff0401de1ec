/* SPDX-License-Identifier: Apache-2.0 */
/* merge.c - two entries of one server are made one (config_part.h).
 *
 *     mcp_servers.x                  all its rows, defaults too
 *     kanmon_settings.mcp_servers.x  lies over it: only the keys that are written there
 *
 * The same holds for the section of a server that is part of kanmon, below its kind's name.
 */
#include "mcp/builtin.h"
#include "mcp/upstream/config_part.h"

static size_t size_of(enum km_setting_type type)
{
    switch (type) {
    case KM_SET_BOOL:
        return sizeof(bool);
    case KM_SET_STR:
    case KM_SET_SECRET:
        return sizeof(struct km_str);
    case KM_SET_STR_LIST:
        return sizeof(struct km_str_list);
    case KM_SET_STR_MAP:
        return sizeof(struct km_str_map);
    case KM_SET_NODE:
        return sizeof(const struct km_node *);
    case KM_SET_TABLE_LIST:
    case KM_SET_TABLE_MAP:
        return sizeof(struct km_table_list);
    default:
        return sizeof(int64_t);
    }
}

/* What `node` says goes from `over` into `out`. */
void km_mcp_merge(const struct km_settings_table *table, const struct km_node *node,
                  const void *over, void *out)
{
    for (const struct km_setting *row = table->rows; row->name; row++) {
        const struct km_node *value = km_node_get(node, km_str_c(row->name));
        const char *from = (const char *)over + row->offset;
        char *to = (char *)out + row->offset;

        if (!value || value->type == KM_NODE_NULL || row->class != KM_SUPPORTED)
            continue;
        if (row->type == KM_SET_TABLE)
            km_mcp_merge(row->table, value, from, to);
        else
            memcpy(to, from, size_of(row->type));
    }
}

static const struct km_setting_part *find_part(const struct km_mcp_entry *e,
                                               const struct km_settings_table *table)
{
    for (size_t i = 0; e && i < e->parts.n; i++)
        if (e->parts.v[i].table == table)
            return &e->parts.v[i];
    return NULL;
}

/* Of a kind: what the two entries say of it, or all of the kind's own section. */
const void *km_mcp_kind_settings(const struct km_config *config, struct km_mcp_upstream *u,
                                 const struct km_mcp_entry *base, const struct km_mcp_entry *over)
{
    const struct km_settings_table *own = u->builtin->settings;
    const struct km_settings_table *table = own->part->table;
    const struct km_setting_part *low = find_part(base, table), *high = find_part(over, table);
    void *both;

    if (!low && !high)
        return km_config_get(config, own);
    if (!low || !high)
        return low ? low->v : high->v;
    both = km_arena_alloc(&u->arena, table->size);
    if (both) {
        memcpy(both, low->v, table->size);
        km_mcp_merge(table, high->node, high->v, both);
    }
    return both;
}
