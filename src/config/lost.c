/* SPDX-License-Identifier: Apache-2.0 */
/* lost.c - restrictions that stand in the file and are gone, for their key stands there again.
 *
 * Of two equal keys the last counts, and of an included section the whole takes the place of the
 * including file's.  Mostly that is worth a warning.  It is an error where what was lost restricts
 * something and what won does not say the same:
 *
 *     general_settings: {master_key: sk-1}        lost, with the key
 *     general_settings: {alerting: [slack]}       the one that counts
 *
 * Rows tell what restricts.  What is lost of a list of things served is served to nobody.
 */
#include "base/arena.h"
#include "config/fill.h"

/* Where a mapping stands: in a section, whose rows may be of several tables, or below a row. */
struct place {
    struct km_str section; /* table NULL */
    const struct km_settings_table *table;
    unsigned flags; /* of the rows above */
};

struct losing {
    struct km_fill *fill;
    const struct km_lost *lost; /* of which it is asked */
};

static bool equal(const struct km_node *a, const struct km_node *b)
{
    if (!a || !b || a->type != b->type || a->n != b->n)
        return false;
    if (a->type != KM_NODE_SEQ && a->type != KM_NODE_MAP)
        return a->type == KM_NODE_BOOL ? a->b == b->b : km_str_eq(a->text, b->text);
    for (size_t i = 0; i < a->n; i++)
        if (!equal(a->v[i], b->v[i]) ||
            (a->type == KM_NODE_MAP && !km_str_eq(a->k[i]->text, b->k[i]->text)))
            return false;
    return true;
}

static const struct km_setting *row_named(const struct km_settings_table *table, struct km_str name)
{
    for (const struct km_setting *row = table->rows; row->name; row++)
        if (km_str_eq(km_str_c(row->name), name))
            return row;
    return NULL;
}

/* The row of a key at a place, and the flags it has there; NULL: none. */
static const struct km_setting *find_row(const struct losing *l, const struct place *p,
                                         struct km_str key, unsigned *ret_flags)
{
    const struct km_setting *row = p->table ? row_named(p->table, key) : NULL;
    size_t at = 0;

    *ret_flags = p->flags;
    for (size_t t = 0; !row && !p->table && l->fill->tables[t]; t++)
        if (km_str_eq(km_str_c(l->fill->tables[t]->section), p->section) &&
            (row = row_named(l->fill->tables[t], key)) != NULL)
            *ret_flags |= l->fill->tables[t]->flags;
    while (!row && p->table && (row = km_part_next(l->fill->tables, p->table, &at)) != NULL)
        if (!km_str_eq(km_str_c(row->name), key))
            row = NULL;
    if (row)
        *ret_flags |= row->flags;
    return row;
}

/* Whether a section of this name stands right below a place. */
static bool has_section(const struct losing *l, const struct place *p, struct km_str key)
{
    for (size_t t = 0; !p->table && l->fill->tables[t]; t++)
        if (key.n &&
            km_str_eq(km_section_below(km_str_c(l->fill->tables[t]->section), p->section), key))
            return true;
    return false;
}

/* The place of a key's value, where that is a mapping of rows or, by_name, one of names to such. */
static bool below(const struct losing *l, const struct place *p, struct km_str key,
                  struct place *ret, bool *ret_by_name)
{
    unsigned flags;
    const struct km_setting *row = find_row(l, p, key, &flags);
    const bool maps = row && (row->type == KM_SET_TABLE || row->type == KM_SET_TABLE_MAP);

    *ret_by_name = maps && row->type == KM_SET_TABLE_MAP;
    *ret = (struct place){ .flags = flags & (KM_SET_SAFETY | KM_SET_OPEN) };
    if (maps)
        ret->table = row->table;
    else if (has_section(l, p, key))
        ret->section = km_fill_path(l->fill->arena, p->section, key);
    else
        return false;
    return true;
}

static void report(const struct losing *l, struct km_str path)
{
    const struct km_node *by = l->lost->by;

    km_diag_add(l->fill->diags, KM_DIAG_ERROR, "E0115", l->lost->key,
                "of two equal keys the last counts, and the included one of two files: say it "
                "there, too, or make them one",
                "%.*s is lost: '%.*s' at %.*s:%u takes its place and does not say the same",
                KM_STR_ARG(path), KM_STR_ARG(by->text), KM_STR_ARG(by->file), by->line);
}

/* Whether a value that is no mapping of rows would restrict something. */
static bool restricts(const struct losing *l, const struct place *p, struct km_str key,
                      const struct km_node *value)
{
    unsigned flags;
    const struct km_setting *row = find_row(l, p, key, &flags);

    if (km_node_says_nothing(value) && !(row && row->def && value->type == KM_NODE_BOOL))
        return false; /* what is false where nothing else is said says nothing */
    if (!row)
        return !(p->flags & KM_SET_OPEN) && km_name_restricts(key);
    if (row->class != KM_SUPPORTED)
        return row->class == KM_RESTRICTIVE && !km_fill_inert(row, value);
    return row->type != KM_SET_TABLE_LIST && ((flags & KM_SET_SAFETY) || km_name_restricts(key));
}

static void compare_all(const struct losing *l, const struct place *p, struct km_str path,
                        const struct km_node *lost, const struct km_node *won);

/* A list of what is not served anyway: of guardrails that judge every call, say. */
static void compare_list(const struct losing *l, const struct km_setting *row, struct km_str path,
                         const struct km_node *lost, const struct km_node *won)
{
    const struct place in = { .table = row->table, .flags = KM_SET_OPEN };

    for (size_t i = 0; !equal(lost, won) && lost->type == KM_NODE_SEQ && i < lost->n; i++)
        compare_all(l, &in, km_arena_printf(l->fill->arena, "%.*s[%zu]", KM_STR_ARG(path), i),
                    lost->v[i], NULL);
}

/* One key of the place: what it said, and what it says now. */
static void compare(const struct losing *l, const struct place *p, struct km_str path,
                    struct km_str key, const struct km_node *lost, const struct km_node *won)
{
    struct km_str at = km_fill_path(l->fill->arena, path, key);
    unsigned flags;
    const struct km_setting *row = find_row(l, p, key, &flags);
    struct place in;
    bool by_name;

    if (row && row->type == KM_SET_TABLE_LIST && row->class == KM_HARMLESS) {
        compare_list(l, row, at, lost, won);
        return;
    }
    if (!below(l, p, key, &in, &by_name)) {
        if (restricts(l, p, key, lost) && !equal(lost, won))
            report(l, at);
        return;
    }
    if (!by_name) {
        compare_all(l, &in, at, lost, won);
        return;
    }
    for (size_t i = 0; lost->type == KM_NODE_MAP && i < lost->n; i++) {
        const struct km_node *other = km_node_get(won, lost->k[i]->text);

        if (other) /* else it is not there at all */
            compare_all(l, &in, km_fill_path(l->fill->arena, at, lost->k[i]->text), lost->v[i],
                        other);
    }
}

static void compare_all(const struct losing *l, const struct place *p, struct km_str path,
                        const struct km_node *lost, const struct km_node *won)
{
    for (size_t i = 0; lost->type == KM_NODE_MAP && i < lost->n; i++)
        compare(l, p, path, lost->k[i]->text, lost->v[i], km_node_get(won, lost->k[i]->text));
}

static void walk(struct losing *l, const struct place *p, struct km_str path,
                 const struct km_node *node);

/* A mapping of names to mappings, or a list of them. */
static void walk_each(struct losing *l, const struct place *p, struct km_str path,
                      const struct km_node *node)
{
    for (l->lost = node->lost; l->lost; l->lost = l->lost->next) {
        const struct km_str name = l->lost->key->text;

        compare_all(l, p, km_fill_path(l->fill->arena, path, name), l->lost->value,
                    km_node_get(node, name));
    }
    for (size_t i = 0; i < node->n; i++) {
        struct km_str at = node->type == KM_NODE_MAP
                               ? km_fill_path(l->fill->arena, path, node->k[i]->text)
                               : km_arena_printf(l->fill->arena, "%.*s[%zu]", KM_STR_ARG(path), i);

        walk(l, p, at, node->v[i]);
    }
}

/* What was lost in this mapping and in those below it. */
static void walk(struct losing *l, const struct place *p, struct km_str path,
                 const struct km_node *node)
{
    if (node->type != KM_NODE_MAP)
        return;
    for (l->lost = node->lost; l->lost; l->lost = l->lost->next)
        compare(l, p, path, l->lost->key->text, l->lost->value,
                km_node_get(node, l->lost->key->text));
    for (size_t i = 0; i < node->n; i++) {
        struct km_str key = node->k[i]->text, at = km_fill_path(l->fill->arena, path, key);
        unsigned flags;
        const struct km_setting *row = find_row(l, p, key, &flags);
        struct place in;
        bool by_name;

        if (row && row->type == KM_SET_TABLE_LIST && node->v[i]->type == KM_NODE_SEQ) {
            in = (struct place){ .table = row->table, .flags = flags & KM_SET_SAFETY };
            walk_each(l, &in, at, node->v[i]);
        } else if (below(l, p, key, &in, &by_name)) {
            if (by_name)
                walk_each(l, &in, at, node->v[i]);
            else
                walk(l, &in, at, node->v[i]);
        }
    }
}

static bool any_lost(const struct km_node *node)
{
    bool any = node->type == KM_NODE_MAP && node->lost;

    for (size_t i = 0; !any && i < node->n; i++)
        any = any_lost(node->v[i]);
    return any;
}

void km_fill_lost(struct km_fill *fill)
{
    struct losing l = { .fill = fill };
    const struct place top = { .section = KM_STR_NONE };

    if (any_lost(fill->root)) /* else its paths are not worth the memory */
        walk(&l, &top, KM_STR_NONE, fill->root);
}
