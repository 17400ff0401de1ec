/* SPDX-License-Identifier: Apache-2.0 */
/* fill.h - the settings engine: rows and a tree in, filled structs and diagnostics out.
 *
 * Also the walk over sections that schema, reference and the self-check share.
 */
#ifndef KM_CONFIG_FILL_H
#define KM_CONFIG_FILL_H

#include "config/config.h"
#include "config/env.h"

/* One setting as it came out, for `config show` and for comparing snapshots. */
struct km_effective {
    struct km_str path; /* "model_list[0].litellm_params.model" */
    const struct km_setting *row;
    const struct km_node *node; /* the value as it was read; its place tells the origin */
};

/* A row whose key was warned about. */
struct km_fill_warned {
    struct km_fill_warned *next;
    const struct km_setting *row;
};

struct km_fill {
    struct km_arena *arena;
    struct km_diags *diags;
    const struct km_env *env;
    const struct km_settings_table *const *tables;
    const struct km_config_flag *flags;
    size_t nflags;
    const struct km_node *root;
    const struct km_node *accept; /* kanmon_settings.accept_unsupported, or NULL */
    struct km_effective *settings; /* grows in the arena */
    size_t n, cap;
    struct km_fill_warned *warned;
};

/* Fills one struct a table, in the order of fill->tables; NULL where memory ran out.  Problems
 * go to diags only. */
void km_fill_all(struct km_fill *fill, void **structs);

/* node: NULL below a mapping that is absent.  path: where the mapping stands.  inherited:
 * KM_SET_SAFETY and KM_SET_OPEN of the rows above. */
void km_fill_rows(struct km_fill *fill, const struct km_settings_table *table,
                  const struct km_node *node, struct km_str path, unsigned inherited, void *out);

/* A key whose row is not SUPPORTED, with a value: what to say about it.  quiet: a key above it
 * was warned about as a whole, so only restrictions are worth a word. */
void km_fill_unsupported(struct km_fill *fill, const struct km_setting *row,
                         const struct km_node *node, struct km_str path, bool quiet);
/* Whether kanmon_settings.accept_unsupported names the path or one above it. */
bool km_fill_accepted(const struct km_fill *fill, struct km_str path);

/* A NULL node that was os.environ/NAME: an error if flags have KM_SET_SAFETY and the path is
 * not accepted, else a warning. */
void km_fill_unset(struct km_fill *fill, const struct km_node *node, struct km_str path,
                   unsigned flags);
/* A STR node that came from a variable and is empty: an error in a safety row, else nothing. */
void km_fill_empty(struct km_fill *fill, const struct km_node *node, struct km_str path,
                   unsigned flags);
/* As km_fill_unset() for every such node at and below this one. */
void km_fill_unset_below(struct km_fill *fill, const struct km_node *node, struct km_str path,
                         unsigned flags);

/* Whether a restrictive key is set to what restricts nothing: nothing, an inert value, or a list
 * of inert values only. */
bool km_fill_inert(const struct km_setting *row, const struct km_node *node);

/* "model_list[3].litellm_params.api_key" without "[3]": what a sealed value is bound to, and
 * what accept_unsupported lists, so that both survive a list being reordered. */
struct km_str km_fill_plain_path(struct km_arena *arena, struct km_str path);

/* Reports the keys of a nested table's mapping that no row knows. */
void km_fill_unknown(struct km_fill *fill, const struct km_settings_table *table,
                     const struct km_node *node, struct km_str path, unsigned inherited);
/* The same for everything above the tables: sections and the rows of root tables. */
void km_fill_unknown_sections(struct km_fill *fill);
/* Whether a name sounds like a restriction: allowed_, whitelist, deny, block, restrict, only, max_,
 * _limit or the like is in it. */
bool km_name_restricts(struct km_str name);
/* Restrictions whose key stands there again, or was included anew, without them: an error.  Of the
 * tree as it was read, for two equal variables say the same. */
void km_fill_lost(struct km_fill *fill);
/* Values that were meant as a variable or as quoted and are taken as they stand: ${NAME},
 * os.enviro/NAME, curly quotes. */
void km_fill_literals(struct km_fill *fill);
/* And the flags whose path is no row's. */
void km_fill_unknown_flags(struct km_fill *fill);

/* The rows that other tables put into the mappings of `table`: begin with *at 0; NULL ends. */
const struct km_setting *km_part_next(const struct km_settings_table *const *tables,
                                      const struct km_settings_table *table, size_t *at);

/* The part of `section` right below `prefix` ("limits" of "kanmon_settings.limits"), or empty. */
struct km_str km_section_below(struct km_str section, struct km_str prefix);

/* A value that comes from outside the file, as a node whose place is `origin`. */
const struct km_node *km_fill_text(struct km_fill *fill, const struct km_setting *row,
                                   struct km_str text, struct km_str origin);

/* From flags and the environment: NULL when nothing there sets the row.  `weak` asks for the
 * row's own variables that only stand in for an absent key (LITELLM_MASTER_KEY). */
const struct km_node *km_fill_override(struct km_fill *fill, const char *section,
                                       const struct km_setting *row, bool weak);

/* KANMON_<FLAG> of a row of a kanmon_settings section; empty for others. */
struct km_str km_fill_variable(struct km_arena *arena, const char *section,
                               const struct km_setting *row);

/* The default as a node, or NULL. */
const struct km_node *km_fill_default(struct km_fill *fill, const struct km_setting *row);

/* "section.name", or "name" at the top. */
struct km_str km_fill_path(struct km_arena *arena, struct km_str section, struct km_str name);

#endif
