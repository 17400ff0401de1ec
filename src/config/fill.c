/* SPDX-License-Identifier: Apache-2.0 */
/* fill.c - see fill.h for the contract.
 *
 * A row says where its value goes and what it may be; this file walks rows and tree together:
 *
 *     table ── row ── flag? variable? file? default? ── node ── field of the struct
 *               │
 *               ├── TABLE, TABLE_LIST, TABLE_MAP: the same again, one level down
 *               └── unsupported: a warning, or an error if ignoring it would open a door
 *
 * Nothing stops at the first problem: whoever edits a configuration wants all of them.  What
 * could not be read keeps its default, and the caller looks at the errors counted.
 *
 * What stops the start for safety's sake is in unsupported.c.
 */
#include "config/fill.h"

#include "base/arena.h"
#include "config/secret.h"
#include "config/value.h"

/* Beside the row flags that are inherited: below a key that was warned about as a whole, and
 * below a list, where defaults are not worth showing for every item. */
#define QUIET (1u << 16)
#define IN_LIST (1u << 17)
#define INHERITED (KM_SET_SAFETY | KM_SET_WARY | KM_SET_OPEN | QUIET | IN_LIST)

struct km_str km_fill_path(struct km_arena *arena, struct km_str section, struct km_str name)
{
    if (!section.n)
        return name;
    return km_arena_printf(arena, "%.*s.%.*s", KM_STR_ARG(section), KM_STR_ARG(name));
}

static bool absent(const struct km_node *node)
{
    return !node || node->type == KM_NODE_NULL;
}

/* Remembers a value for show and compare. */
static void record(struct km_fill *fill, const struct km_setting *row, const struct km_node *node,
                   struct km_str path)
{
    if (fill->n == fill->cap) {
        size_t cap = fill->cap ? fill->cap * 2 : 128;
        struct km_effective *v = km_arena_alloc(fill->arena, cap * sizeof *v);

        if (!v)
            return;
        if (fill->n)
            memcpy(v, fill->settings, fill->n * sizeof *v);
        fill->settings = v;
        fill->cap = cap;
    }
    fill->settings[fill->n++] = (struct km_effective){ path, row, node };
}

static void wrong(struct km_fill *fill, const struct km_node *at, struct km_str path,
                  const char *what)
{
    km_diag_add(fill->diags, KM_DIAG_ERROR, "E0102", at, NULL, "%.*s: %s", KM_STR_ARG(path), what);
}

static bool getenv_of(void *ctx, const char *name, struct km_str *ret_value)
{
    const struct km_fill *fill = ctx;

    return km_env_get(fill->env, km_str_c(name), ret_value);
}

static void fill_secret(struct km_fill *fill, const struct km_node *node, struct km_str path,
                        struct km_str *field)
{
    struct km_err err = { 0 };
    struct km_str text = { 0 };
    bool found = true;

    km_diags_hide(fill->diags, node);
    if (km_value_str(node, &text, &err) < 0 ||
        km_secret_resolve(fill->arena, text, km_fill_plain_path(fill->arena, path), getenv_of, fill,
                          field, &found, &err) < 0)
        wrong(fill, node, path, err.text);
}

static void fill_str_list(struct km_fill *fill, const struct km_node *node, struct km_str path,
                          struct km_str_list *field)
{
    size_t n = node->type == KM_NODE_SEQ ? node->n : 1;
    struct km_str *v = km_arena_zalloc(fill->arena, n * sizeof *v);
    struct km_err err = { 0 };

    if (!v)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct km_node *item = node->type == KM_NODE_SEQ ? node->v[i] : node;

        if (km_value_str(item, &v[i], &err) < 0)
            wrong(fill, item, path, "expected a list of strings");
    }
    *field = (struct km_str_list){ v, n };
}

static void fill_str_map(struct km_fill *fill, const struct km_node *node, struct km_str path,
                         struct km_str_map *field)
{
    struct km_str_pair *v;
    struct km_err err = { 0 };

    if (node->type != KM_NODE_MAP) {
        wrong(fill, node, path, "expected a mapping of names to strings");
        return;
    }
    v = km_arena_zalloc(fill->arena, node->n * sizeof *v);
    for (size_t i = 0; v && i < node->n; i++) {
        v[i].name = node->k[i]->text;
        if (absent(node->v[i]))
            continue; /* an unset variable: an empty text, warned about */
        if (km_value_str(node->v[i], &v[i].value, &err) < 0)
            wrong(fill, node->v[i], path, err.text);
    }
    if (v)
        *field = (struct km_str_map){ v, node->n };
}

static void fill_table(struct km_fill *fill, const struct km_setting *row,
                       const struct km_node *node, struct km_str path, unsigned inherited,
                       void *out);

/* What other tables put below this mapping, where it is written. */
static void fill_parts(struct km_fill *fill, const struct km_settings_table *table,
                       const struct km_node *node, struct km_str path, unsigned inherited,
                       struct km_setting_parts *field)
{
    const struct km_setting *row;
    struct km_setting_part *v = NULL;
    size_t at = 0, n = 0;

    while ((row = km_part_next(fill->tables, table, &at)) != NULL) {
        const struct km_node *file = km_node_get(node, km_str_c(row->name));
        void *out = absent(file) ? NULL : km_arena_zalloc(fill->arena, row->table->size);

        if (!v) /* one place for each that may follow */
            v = km_arena_zalloc(fill->arena, node ? node->n * sizeof *v : 0);
        if (!out || !v)
            continue;
        fill_table(fill, row, file, km_fill_path(fill->arena, path, km_str_c(row->name)),
                   (row->flags | inherited) & INHERITED, out);
        v[n++] = (struct km_setting_part){ row->table, file, out };
    }
    *field = (struct km_setting_parts){ v, n };
}

static void fill_table(struct km_fill *fill, const struct km_setting *row,
                       const struct km_node *node, struct km_str path, unsigned inherited,
                       void *out)
{
    const struct km_settings_table *table = row->table;

    if (node && node->type != KM_NODE_MAP && node->type != KM_NODE_NULL) {
        km_diag_add(fill->diags, KM_DIAG_ERROR, "E0102", node, NULL,
                    "%.*s: expected a mapping, found %s", KM_STR_ARG(path),
                    km_value_type_name(node->type));
        node = NULL;
    }
    if (row->class == KM_SUPPORTED && table->extra != SIZE_MAX &&
        (table->extra || (row->flags & KM_SET_OPEN)))
        memcpy((char *)out + table->extra, &node, sizeof node);
    km_fill_rows(fill, table, node, path, inherited, out);
    if (row->class == KM_SUPPORTED && table->parts)
        fill_parts(fill, table, node, path, inherited,
                   (struct km_setting_parts *)(void *)((char *)out + table->parts));
    km_fill_unknown(fill, table, node, path, inherited);
}

static void fill_tables(struct km_fill *fill, const struct km_setting *row,
                        const struct km_node *node, struct km_str path, unsigned inherited,
                        struct km_table_list *field)
{
    bool map = row->type == KM_SET_TABLE_MAP;
    size_t size = row->table->size;
    struct km_str *names;
    char *v;

    if (node->type != (map ? KM_NODE_MAP : KM_NODE_SEQ)) {
        km_diag_add(fill->diags, KM_DIAG_ERROR, "E0102", node, NULL, "%.*s: expected %s, found %s",
                    KM_STR_ARG(path), km_value_expects(row->type), km_value_type_name(node->type));
        return;
    }
    v = km_arena_zalloc(fill->arena, node->n * size);
    names = km_arena_zalloc(fill->arena, node->n * sizeof *names);
    for (size_t i = 0; v && names && i < node->n; i++) {
        struct km_str at = map ? km_fill_path(fill->arena, path, node->k[i]->text)
                               : km_arena_printf(fill->arena, "%.*s[%zu]", KM_STR_ARG(path), i);

        if (map)
            names[i] = node->k[i]->text;
        fill_table(fill, row, node->v[i], at, inherited | IN_LIST, v + i * size);
    }
    if (v && names && field && row->class == KM_SUPPORTED)
        *field = (struct km_table_list){ v, map ? names : NULL, node->n };
}

static void fill_number(struct km_fill *fill, const struct km_setting *row,
                        const struct km_node *node, struct km_str path, int64_t *field)
{
    struct km_err err = { 0 };

    if (km_value_number(row, node, field, &err) < 0)
        wrong(fill, node, path, err.text);
}

/* A value that is there goes into its field. */
static void fill_value(struct km_fill *fill, const struct km_setting *row,
                       const struct km_node *node, struct km_str path, unsigned flags, void *field)
{
    struct km_err err = { 0 };

    switch (row->type) {
    case KM_SET_BOOL:
        if (km_value_bool(node, field, &err) < 0)
            km_diag_add(fill->diags, KM_DIAG_ERROR, "E0102", node, row->instead, "%.*s: %s",
                        KM_STR_ARG(path), err.text);
        break;
    case KM_SET_STR:
        if (km_value_str(node, field, &err) < 0)
            wrong(fill, node, path, err.text);
        break;
    case KM_SET_SECRET:
        fill_secret(fill, node, path, field);
        break;
    case KM_SET_STR_LIST:
        km_fill_unset_below(fill, node, path, flags);
        fill_str_list(fill, node, path, field);
        break;
    case KM_SET_STR_MAP:
        km_fill_unset_below(fill, node, path, flags);
        fill_str_map(fill, node, path, field);
        break;
    case KM_SET_NODE:
        km_fill_unset_below(fill, node, path, flags);
        memcpy(field, &node, sizeof node);
        break;
    case KM_SET_TABLE_LIST:
    case KM_SET_TABLE_MAP:
        fill_tables(fill, row, node, path, flags, field);
        break;
    default:
        fill_number(fill, row, node, path, field);
    }
}

/* A key we do not honour; below a harmless one there may be a restrictive one: guardrails ...
 * default_on. */
static void unsupported(struct km_fill *fill, const struct km_setting *row,
                        const struct km_node *node, struct km_str path, unsigned inherited)
{
    unsigned below = KM_SET_OPEN | QUIET;

    km_fill_unsupported(fill, row, node, path, (inherited & QUIET) != 0);
    if (row->class != KM_RESTRICTIVE && row->type == KM_SET_TABLE)
        fill_table(fill, row, node, path, below, NULL);
    else if (row->class != KM_RESTRICTIVE &&
             (row->type == KM_SET_TABLE_LIST || row->type == KM_SET_TABLE_MAP))
        fill_tables(fill, row, node, path, below, NULL);
}

/* The first of flag, variable, file, weak variable, default that has a value. */
static const struct km_node *choose(struct km_fill *fill, const struct km_settings_table *table,
                                    const struct km_setting *row, const struct km_node *file)
{
    const struct km_node *node = NULL;

    if (table->section)
        node = km_fill_override(fill, table->section, row, false);
    if (!node)
        node = file;
    if (absent(node) && table->section) {
        const struct km_node *weak = km_fill_override(fill, table->section, row, true);

        node = weak ? weak : node;
    }
    if (absent(node)) {
        const struct km_node *def = km_fill_default(fill, row);

        node = def ? def : node;
    }
    return node;
}

static void unset(const struct km_setting *row, void *field)
{
    if (km_setting_is_amount(row->type))
        *(int64_t *)field = -1;
}

static void missing(struct km_fill *fill, const struct km_setting *row, const struct km_node *map,
                    struct km_str path)
{
    /* Where the mapping itself is absent, nothing in it is required. */
    if ((row->flags & KM_SET_REQUIRED) && map)
        km_diag_add(fill->diags, KM_DIAG_ERROR, "E0105", map, row->help, "%.*s is required",
                    KM_STR_ARG(path));
}

static void fill_row(struct km_fill *fill, const struct km_settings_table *table,
                     const struct km_setting *row, const struct km_node *map, struct km_str path,
                     unsigned inherited, void *out)
{
    const struct km_node *file = km_node_get(map, km_str_c(row->name));
    struct km_str at = km_fill_path(fill->arena, path, km_str_c(row->name));
    unsigned flags = row->flags | inherited;
    const struct km_node *node;
    void *field;

    if (row->class != KM_SUPPORTED) {
        if (!absent(file))
            unsupported(fill, row, file, at, inherited);
        else if (file && file->from_env &&
                 (row->class == KM_RESTRICTIVE || (flags & KM_SET_SAFETY)))
            km_fill_unset(fill, file, at, KM_SET_SAFETY); /* it may have meant to restrict */
        return;
    }
    field = (char *)out + row->offset;
    if (row->type == KM_SET_TABLE) {
        if (file && file->type == KM_NODE_NULL && file->from_env) {
            km_fill_unset(fill, file, at, flags);
            file = NULL;
        }
        if (absent(file))
            missing(fill, row, map, at);
        fill_table(fill, row, file, at, flags & INHERITED, field);
        return;
    }
    node = choose(fill, table, row, file);
    if (file && file->type == KM_NODE_NULL && file->from_env && (node == file || !node->from_env))
        km_fill_unset(fill, file, at, flags);
    unset(row, field);
    if (absent(node)) {
        missing(fill, row, map, at);
        return;
    }
    if (node->type == KM_NODE_STR && node->text.n == 0 && node->from_env)
        km_fill_empty(fill, node, at, flags);
    fill_value(fill, row, node, at, flags & INHERITED, field);
    if (row->type != KM_SET_TABLE_LIST && row->type != KM_SET_TABLE_MAP &&
        !((inherited & IN_LIST) && node->line == 0))
        record(fill, row, node, at);
}

void km_fill_rows(struct km_fill *fill, const struct km_settings_table *table,
                  const struct km_node *node, struct km_str path, unsigned inherited, void *out)
{
    for (const struct km_setting *row = table->rows; row->name; row++)
        fill_row(fill, table, row, node, path, inherited, out);
}

void km_fill_all(struct km_fill *fill, void **structs)
{
    for (size_t i = 0; fill->tables[i]; i++) {
        const struct km_settings_table *table = fill->tables[i];
        const struct km_node *node =
            *table->section ? km_node_path(fill->root, table->section) : fill->root;

        structs[i] = km_arena_zalloc(fill->arena, table->size);
        if (structs[i])
            km_fill_rows(fill, table, absent(node) ? NULL : node, km_str_c(table->section),
                         table->flags & KM_SET_SAFETY, structs[i]);
    }
    km_fill_unknown_sections(fill);
    km_fill_unknown_flags(fill);
    km_fill_literals(fill);
}
