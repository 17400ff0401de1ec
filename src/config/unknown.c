/* SPDX-License-Identifier: Apache-2.0 */
/* unknown.c - keys that no row knows, and what was probably meant (see fill.h).
 *
 * LiteLLM tolerates unknown keys everywhere, so they are warnings.  They are errors where a
 * typing error would leave a door open:
 *
 *     below a safety row                           any unknown key
 *     a near miss of a section                     general_setting: {...}
 *     a near miss of a key that restricts          masterkey: sk-...
 *     (or of a mapping that holds such keys)       mcp_safty: {approve: always}
 *     such a key of another section                litellm_settings: {master_key: ...}
 *     a name that sounds like a restriction        max_..., deny..., ..._limit
 *     (in the sections that are wary)
 *
 * What says nothing (false, null, empty) stops nothing, and accept_unsupported may name it.
 * Below an open table unknown keys are data, which is no one's error.
 *
 * The names known at a place are the rows of every table of that section and the next part of
 * every section below it:
 *
 *     kanmon_settings          rows: workers, state_dir ...     sections: limits, guard ...
 *     kanmon_settings.limits   rows: header_bytes ...
 */
#include "base/near.h"
#include "config/fill.h"
#include "config/value.h"

/* Where a key of another section is looked for, the likeliest first. */
static const char *const homes[] = { "litellm_settings", "router_settings", "general_settings",
                                     "kanmon_settings",  "",                NULL };

/* What is known of an unknown key so far. */
struct guess {
    struct km_str want, best;
    const struct km_node *value;
    unsigned distance;
    bool exact;
    bool near_restricts; /* so does what it is a near miss of, or it is a section */
    bool far_restricts; /* what it is a near miss of stands in another section */
    struct km_str home; /* the section it belongs in */
    bool home_works; /* and where it does what it says */
    bool home_restricts;
};

static bool nests(const struct km_setting *row)
{
    return row->type == KM_SET_TABLE || row->type == KM_SET_TABLE_LIST ||
           row->type == KM_SET_TABLE_MAP;
}

bool km_name_restricts(struct km_str name)
{
    static const char *const parts[] = { "allowed_", "allowlist", "allow_list", "whitelist",
                                         "white_list", "blacklist", "black_list", "deny",
                                         "denied", "block", "disable", "enforce", "require",
                                         "restrict", "forbid", "permit", "reject", "only",
                                         "max_", "_limit", "limit_", NULL };
    char plain[64];
    size_t n = 0, skip;

    for (size_t i = 0; i < name.n && n < sizeof plain; i += skip ? skip : 1) {
        char c = name.p[i];

        skip = km_unseen(km_str_skip(name, i));
        if (!skip)
            plain[n++] = c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    for (size_t i = 0; parts[i]; i++)
        if (km_str_find(km_str(plain, n), km_str_c(parts[i])) < n)
            return true;
    return false;
}

static bool restricts(const struct km_setting *row);

/* Whether a mapping of this table holds such a key, at whatever depth: tables do not recur. */
static bool table_restricts(const struct km_settings_table *table)
{
    if (table->flags & KM_SET_SAFETY)
        return true;
    for (const struct km_setting *row = table->rows; row->name; row++)
        if (restricts(row))
            return true;
    return false;
}

/* Whether a key that never takes effect, for its name is misspelt, may leave a door open. */
static bool restricts(const struct km_setting *row)
{
    if (row->class == KM_RESTRICTIVE)
        return true;
    if (row->class != KM_SUPPORTED)
        return false;
    if ((row->flags & KM_SET_SAFETY) || km_name_restricts(km_str_c(row->name)))
        return true;
    return nests(row) && table_restricts(row->table);
}

static void consider(struct guess *g, struct km_str name, bool if_near)
{
    unsigned d;

    if (km_str_eq(g->want, name)) {
        g->exact = true;
        return;
    }
    if (!km_near_miss(g->want, name))
        return;
    d = km_str_distance(g->want, name);
    g->near_restricts |= if_near;
    if (d < g->distance) {
        g->distance = d;
        g->best = name;
    }
}

static void consider_rows(struct guess *g, const struct km_settings_table *table)
{
    for (const struct km_setting *row = table->rows; row->name; row++)
        consider(g, km_str_c(row->name), restricts(row));
}

/* A list or map of what is served: what is lost of it is served to nobody. */
static bool offers(const struct km_setting *row)
{
    return row->type == KM_SET_TABLE_LIST || row->type == KM_SET_TABLE_MAP;
}

/* Whether its value is lost protection where a key stands in a section that does not read it.  A
 * default_... of new keys, users or teams is not: who asks for more gets it there, too. */
static bool guards(const struct km_setting *row, const struct km_node *value)
{
    if (row->class != KM_RESTRICTIVE)
        return restricts(row) && !offers(row);
    return !km_fill_inert(row, value) && (km_name_restricts(km_str_c(row->name)) ||
                                          !km_str_starts(km_str_c(row->name), KM_STR("default_")));
}

/* The first section that knows the key counts, unless a later one does what it says. */
static void found_at_home(struct guess *g, struct km_str home, bool works, bool guard)
{
    if (g->home.p && (g->home_works || !works))
        return;
    g->home = home;
    g->home_works = works;
    g->home_restricts |= guard;
}

/* A key of another section, or a near miss of one of LiteLLM's that restricts. */
static void look_in(struct guess *g, const struct km_settings_table *table, struct km_str path)
{
    bool own = km_str_starts(path, KM_STR("kanmon_settings"));

    for (const struct km_setting *row = table->rows; row->name; row++) {
        struct km_str name = km_str_c(row->name);

        if (km_str_eq(g->want, name)) {
            found_at_home(g, path, row->class == KM_SUPPORTED, guards(row, g->value));
        } else if (!own && !g->best.n && restricts(row) && !offers(row) &&
                   km_near_miss(g->want, name)) {
            g->best = name;
            g->far_restricts = true;
        }
    }
}

/* The rows of the mappings right below a table: litellm_params of an entry of model_list. */
static void look_below(struct guess *g, struct km_arena *arena,
                       const struct km_settings_table *table, struct km_str path)
{
    for (const struct km_setting *row = table->rows; row->name && !g->home.p; row++) {
        struct km_str at = km_fill_path(arena, path, km_str_c(row->name));

        if (row->type == KM_SET_TABLE_LIST && !path.n)
            look_below(g, arena, row->table, km_arena_printf(arena, "%.*s[]", KM_STR_ARG(at)));
        for (const struct km_setting *r = row->type == KM_SET_TABLE ? row->table->rows : NULL;
             r && r->name; r++)
            if (km_str_eq(g->want, km_str_c(r->name)) && !g->home.p) {
                g->home = at;
                g->home_restricts = r->class == KM_RESTRICTIVE;
            }
    }
}

/* A key of kanmon_settings.limits that stands in kanmon_settings, say, or the reverse. */
static void look_below_own(struct km_fill *fill, struct guess *g, struct km_str section)
{
    for (size_t t = 0; fill->tables[t]; t++) {
        const struct km_settings_table *table = fill->tables[t];
        struct km_str at = km_str_c(table->section);

        if (!km_section_below(at, KM_STR("kanmon_settings")).n || km_str_eq(at, section))
            continue;
        for (const struct km_setting *row = table->rows; row->name; row++)
            if (km_str_eq(g->want, km_str_c(row->name)))
                found_at_home(g, at, row->class == KM_SUPPORTED,
                              (table->flags & KM_SET_SAFETY) || guards(row, g->value));
    }
}

/* A whole section of kanmon_settings that stands in one of LiteLLM's: limits: {...}. */
static void look_for_section(struct km_fill *fill, struct guess *g)
{
    for (size_t t = 0; fill->tables[t]; t++)
        if (km_str_eq(g->want, km_section_below(km_str_c(fill->tables[t]->section),
                                                KM_STR("kanmon_settings"))))
            found_at_home(g, KM_STR("kanmon_settings"), true, table_restricts(fill->tables[t]));
}

static void look_elsewhere(struct km_fill *fill, struct guess *g, struct km_str section)
{
    for (size_t h = 0; homes[h] && !g->home_works; h++)
        for (size_t t = 0; fill->tables[t]; t++)
            if (strcmp(fill->tables[t]->section, homes[h]) == 0 &&
                !km_str_eq(section, km_str_c(homes[h])))
                look_in(g, fill->tables[t], km_str_c(homes[h]));
    if (km_str_starts(section, KM_STR("kanmon_settings")))
        look_below_own(fill, g, section);
    else
        look_for_section(fill, g);
    for (size_t t = 0; fill->tables[t] && section.n && !g->home.p; t++)
        if (!*fill->tables[t]->section)
            look_below(g, fill->arena, fill->tables[t], KM_STR_NONE);
}

/* What was probably meant; empty where nothing comes to mind. */
static struct km_str hint(struct km_fill *fill, const struct km_node *key, const struct guess *g)
{
    if (key->type != KM_NODE_STR)
        return KM_STR("YAML does not read this as text: put it in quotes");
    if (g->home.p)
        return g->home.n ? km_arena_printf(fill->arena, "it belongs in %.*s", KM_STR_ARG(g->home))
                         : KM_STR("it belongs at the top of the file");
    if (g->best.n)
        return km_arena_printf(fill->arena, "did you mean '%.*s'?", KM_STR_ARG(g->best));
    return KM_STR_NONE;
}

static void report(struct km_fill *fill, const struct km_node *key, const struct km_node *value,
                   const struct guess *g, struct km_str path, unsigned flags)
{
    struct km_str help = hint(fill, key, g), where = path.n ? path : KM_STR("the configuration");
    struct km_str at = km_fill_path(fill->arena, path, key->text);
    bool silent = km_node_says_nothing(value);
    bool sounds = (flags & KM_SET_WARY) && !g->home.p && km_name_restricts(key->text);
    const char *ends; /* what ends the sentence of help */
    bool far = g->home.p ? g->home_restricts : g->far_restricts;
    bool stops =
        flags & KM_SET_SAFETY ? !silent || help.n : !silent && (g->near_restricts || far || sounds);

    if (!stops && silent && !help.n)
        return;
    if (!stops) {
        km_diag_add(fill->diags, KM_DIAG_WARNING, "W0101", key, help.p,
                    "unknown key '%.*s' in %.*s", KM_STR_ARG(key->text), KM_STR_ARG(where));
        return;
    }
    if (km_fill_accepted(fill, at)) {
        km_diag_add(fill->diags, KM_DIAG_WARNING, "W0105", key, help.p,
                    "unknown key '%.*s' in %.*s has no effect, as accepted", KM_STR_ARG(key->text),
                    KM_STR_ARG(where));
        return;
    }
    if (!help.n && sounds)
        help = KM_STR("its name says that it restricts something: take it out.");
    ends = !help.n                                                            ? ""
           : km_str_ends(help, KM_STR("?")) || km_str_ends(help, KM_STR(".")) ? "  "
                                                                              : ".  ";
    help = km_arena_printf(fill->arena,
                           "%.*s%sTo start all the same, list '%.*s' in "
                           "kanmon_settings.accept_unsupported.",
                           KM_STR_ARG(help), ends, KM_STR_ARG(km_fill_plain_path(fill->arena, at)));
    km_diag_add(fill->diags, KM_DIAG_ERROR, "E0103", key, help.p, "unknown key '%.*s' in %.*s",
                KM_STR_ARG(key->text), KM_STR_ARG(where));
}

void km_fill_unknown(struct km_fill *fill, const struct km_settings_table *table,
                     const struct km_node *node, struct km_str path, unsigned inherited)
{
    if (!node || node->type != KM_NODE_MAP || (inherited & KM_SET_OPEN))
        return;
    for (size_t i = 0; i < node->n; i++) {
        struct guess g = { .want = node->k[i]->text, .value = node->v[i], .distance = 256 };
        const struct km_setting *part;
        size_t at = 0;

        consider_rows(&g, table);
        while ((part = km_part_next(fill->tables, table, &at)) != NULL)
            consider(&g, km_str_c(part->name), false);
        if (g.exact && node->k[i]->type == KM_NODE_STR)
            continue;
        look_below(&g, fill->arena, table, path);
        report(fill, node->k[i], node->v[i], &g, path, inherited);
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
    if (!node)
        return;
    if (node->type == KM_NODE_NULL) {
        if (node->from_env) /* it may have held a restriction */
            km_fill_unset(fill, node, section, KM_SET_SAFETY);
        return;
    }
    if (node->type != KM_NODE_MAP) {
        km_diag_add(
            fill->diags, KM_DIAG_ERROR, "E0101", node, NULL, "%.*s: expected a mapping, found %s",
            KM_STR_ARG(section.n ? section : KM_STR("the file")), km_value_type_name(node->type));
        return;
    }
    for (size_t i = 0; i < node->n; i++) {
        struct guess g = { .want = node->k[i]->text, .value = node->v[i], .distance = 256 };
        unsigned flags = 0;

        for (size_t t = 0; fill->tables[t]; t++) {
            struct km_str other = km_str_c(fill->tables[t]->section),
                          child = km_section_below(other, section);

            if (km_str_eq(other, section)) {
                consider_rows(&g, fill->tables[t]);
                flags |= fill->tables[t]->flags;
            }
            if (child.n)
                consider(&g, child, true);
        }
        if (g.exact && node->k[i]->type == KM_NODE_STR)
            continue;
        g.near_restricts |= !section.n && g.best.n; /* all that stands at the top is a section */
        look_elsewhere(fill, &g, section);
        report(fill, node->k[i], node->v[i], &g, section, flags);
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
