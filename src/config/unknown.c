/* SPDX-License-Identifier: Apache-2.0 */
/* unknown.c - keys that no row knows, and what was probably meant (see fill.h).
 *
 * LiteLLM tolerates unknown keys everywhere, so they are warnings.  Where a typing error would
 * leave a door open (below a safety row) they are errors, and below an open table they are
 * data, which is no one's error.
 *
 * The names known at a place are the rows of every table of that section and the next part of
 * every section below it:
 *
 *     kanmon_settings          rows: workers, state_dir ...     sections: limits, guard ...
 *     kanmon_settings.limits   rows: header_bytes ...
 */
#include "config/fill.h"
#include "config/value.h"

/* The best candidate so far. */
struct guess {
    struct km_str want, best;
    unsigned distance;
    bool exact;
};

static void consider(struct guess *g, struct km_str name)
{
    unsigned limit = g->want.n / 3 > 1 ? (unsigned)(g->want.n / 3) : 1, d;

    if (km_str_eq(g->want, name)) {
        g->exact = true;
        return;
    }
    d = km_str_distance(g->want, name);
    if (d <= limit && d < g->distance) {
        g->distance = d;
        g->best = name;
    }
}

static void consider_rows(struct guess *g, const struct km_settings_table *table)
{
    for (const struct km_setting *row = table->rows; row->name; row++)
        consider(g, km_str_c(row->name));
}

static void report(struct km_fill *fill, const struct km_node *key, const struct guess *g,
                   struct km_str path, bool refuse)
{
    struct km_str help = { 0 };
    struct km_str where = path.n ? path : KM_STR("the configuration");

    if (key->type != KM_NODE_STR)
        help = KM_STR("YAML does not read this as text: put it in quotes");
    else if (g->best.n)
        help = km_arena_printf(fill->arena, "did you mean '%.*s'?", KM_STR_ARG(g->best));
    km_diag_add(fill->diags, refuse ? KM_DIAG_ERROR : KM_DIAG_WARNING, refuse ? "E0103" : "W0101",
                key, help.p, "unknown key '%.*s' in %.*s", KM_STR_ARG(key->text),
                KM_STR_ARG(where));
}

void km_fill_unknown(struct km_fill *fill, const struct km_settings_table *table,
                     const struct km_node *node, struct km_str path, unsigned inherited)
{
    if (!node || node->type != KM_NODE_MAP)
        return;
    for (size_t i = 0; i < node->n; i++) {
        struct guess g = { .want = node->k[i]->text, .distance = 256 };
        const struct km_setting *part;
        size_t at = 0;

        consider_rows(&g, table);
        while ((part = km_part_next(fill->tables, table, &at)) != NULL)
            consider(&g, km_str_c(part->name));
        g.exact = g.exact && node->k[i]->type == KM_NODE_STR;
        if (!g.exact && !(inherited & KM_SET_OPEN))
            report(fill, node->k[i], &g, path, (inherited & KM_SET_SAFETY) != 0);
    }
}

struct km_str km_section_below(struct km_str section, struct km_str prefix)
{
    if (prefix.n) {
        if (!km_str_starts(section, prefix) || section.n <= prefix.n || section.p[prefix.n] != '.')
            return KM_STR_NONE;
        section = km_str_skip(section, prefix.n + 1);
    }
    return km_str_sub(section, 0, km_str_chr(section, '.'));
}

static void check_section(struct km_fill *fill, struct km_str section)
{
    const struct km_node *node = fill->root;
    struct km_str rest = section, part;

    while (node && km_str_split(&rest, '.', &part) && part.n)
        node = km_node_get(node, part);
    if (!node || node->type == KM_NODE_NULL)
        return;
    if (node->type != KM_NODE_MAP) {
        km_diag_add(
            fill->diags, KM_DIAG_ERROR, "E0101", node, NULL, "%.*s: expected a mapping, found %s",
            KM_STR_ARG(section.n ? section : KM_STR("the file")), km_value_type_name(node->type));
        return;
    }
    for (size_t i = 0; i < node->n; i++) {
        struct guess g = { .want = node->k[i]->text, .distance = 256 };
        unsigned flags = 0;

        for (size_t t = 0; fill->tables[t]; t++) {
            struct km_str other = km_str_c(fill->tables[t]->section),
                          child = km_section_below(other, section);

            if (km_str_eq(other, section)) {
                consider_rows(&g, fill->tables[t]);
                flags |= fill->tables[t]->flags;
            }
            if (child.n)
                consider(&g, child);
        }
        if (!g.exact || node->k[i]->type != KM_NODE_STR)
            report(fill, node->k[i], &g, section, (flags & KM_SET_SAFETY) != 0);
    }
}

/* Whether an earlier table has this section or one below it. */
static bool seen(const struct km_fill *fill, size_t before, struct km_str section)
{
    for (size_t t = 0; t < before; t++) {
        struct km_str other = km_str_c(fill->tables[t]->section);

        if (km_str_eq(other, section) || km_section_below(other, section).n)
            return true;
    }
    return false;
}

void km_fill_unknown_sections(struct km_fill *fill)
{
    check_section(fill, KM_STR_NONE);
    for (size_t t = 0; fill->tables[t]; t++) {
        struct km_str section = km_str_c(fill->tables[t]->section);

        /* Every prefix of the section once: "kanmon_settings", then "kanmon_settings.limits". */
        for (size_t i = 1; i <= section.n; i++) {
            struct km_str prefix = km_str_sub(section, 0, i);

            if ((i == section.n || section.p[i] == '.') && !seen(fill, t, prefix))
                check_section(fill, prefix);
        }
    }
}

void km_fill_unknown_flags(struct km_fill *fill)
{
    for (size_t i = 0; i < fill->nflags; i++) {
        struct km_str path = km_str_c(fill->flags[i].path);
        size_t dot = km_str_rchr(path, '.');
        bool top = dot == path.n;
        struct guess g = { .want = top ? path : km_str_skip(path, dot + 1), .distance = 256 };

        for (size_t t = 0; fill->tables[t]; t++)
            if (km_str_eq(km_str_c(fill->tables[t]->section),
                          top ? KM_STR_NONE : km_str_sub(path, 0, dot)))
                consider_rows(&g, fill->tables[t]);
        if (!g.exact)
            km_diag_add(fill->diags, KM_DIAG_ERROR, "E0110", NULL, NULL,
                        "%s: there is no setting '%.*s'", fill->flags[i].flag, KM_STR_ARG(path));
    }
}
