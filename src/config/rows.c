/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - config's own rows, and whether everybody's rows make sense.
 *
 * The engine trusts rows: they are the program's, not input.  The check is for the test that
 * runs it over the whole list, so that a name used twice or a default its own row refuses is
 * found when it is written and not when someone's file meets it.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "config/fill.h"

struct top {
    struct km_str_list include;
    const struct km_node *variables;
    struct km_table_list credentials;
};

struct credential {
    struct km_str name;
    const struct km_node *values, *info;
};

struct own {
    struct km_str_list accept_unsupported;
};

static const struct km_setting credential_rows[] = {
    { "credential_name", KM_SET_STR, offsetof(struct credential, name),
      .help = "The name that litellm_credential_name refers to.", .flags = KM_SET_REQUIRED },
    { "credential_values", KM_SET_NODE, offsetof(struct credential, values),
      .help = "The litellm_params it stands for (api_key, api_base ...); a deployment's own win." },
    { "credential_info", KM_SET_NODE, offsetof(struct credential, info),
      .help = "Notes for people; not read." },
    { 0 },
};

static const struct km_settings_table credential_table = { .rows = credential_rows,
                                                           .size = sizeof(struct credential),
                                                           .extra = SIZE_MAX };

static const struct km_setting top_rows[] = {
    { "include", KM_SET_STR_LIST, offsetof(struct top, include),
      .help = "Files to merge in, relative to the file that names them: lists are appended, "
              "everything else is replaced by the included value." },
    { "environment_variables", KM_SET_NODE, offsetof(struct top, variables),
      .help = "Variables for os.environ/NAME where the process does not have them." },
    { "credential_list", KM_SET_TABLE_LIST, offsetof(struct top, credentials),
      .table = &credential_table,
      .help = "Named sets of credentials that several deployments share." },
    { 0 },
};

const struct km_settings_table km_config_top_table = {
    .section = "", .rows = top_rows, .size = sizeof(struct top), .extra = SIZE_MAX
};

static const struct km_setting own_rows[] = {
    { "accept_unsupported", KM_SET_STR_LIST, offsetof(struct own, accept_unsupported),
      .help = "Restrictive LiteLLM keys, by their path, that may be set although kanmon does "
              "not enforce them, and unknown keys that would stop the start.  A path accepts "
              "everything below it." },
    { 0 },
};

const struct km_settings_table km_config_own_table = { .section = "kanmon_settings",
                                                       .rows = own_rows,
                                                       .size = sizeof(struct own),
                                                       .flags = KM_SET_WARY,
                                                       .extra = SIZE_MAX };

const struct km_setting *km_part_next(const struct km_settings_table *const *tables,
                                      const struct km_settings_table *table, size_t *at)
{
    while (tables[*at]) {
        const struct km_settings_table *t = tables[(*at)++];

        if (t->part && t->under == table)
            return t->part;
    }
    return NULL;
}

static void problem(struct km_buf *out, const char *section, const char *name, const char *what)
{
    km_buf_printf(out, "%s%s%s: %s\n", section, *section ? "." : "", name, what);
}

/* Two names of one field: the default of the second would take the place of the first's value. */
static void check_shared(const struct km_setting *rows, const char *section, struct km_buf *out)
{
    for (const struct km_setting *row = rows; row->name; row++)
        for (const struct km_setting *r = rows; row->class == KM_SUPPORTED && row->def && r < row;
             r++)
            if (r->class == KM_SUPPORTED && r->offset == row->offset)
                problem(out, section, row->name, "has a default and the field of an earlier row");
}

static void check_row(const struct km_setting *row, const char *section, unsigned depth,
                      struct km_buf *out)
{
    bool table = row->type == KM_SET_TABLE || row->type == KM_SET_TABLE_LIST ||
                 row->type == KM_SET_TABLE_MAP;

    if (!row->help || !*row->help)
        problem(out, section, row->name, "has no help");
    if (row->type == KM_SET_ENUM && !row->choices)
        problem(out, section, row->name, "has no choices");
    if (table != (row->table != NULL))
        problem(out, section, row->name, "has a table and is not of a table type, or the reverse");
    if (row->class == KM_SUPPORTED && row->inert)
        problem(out, section, row->name, "is supported, so it needs no inert value");
    if (table && row->table)
        check_shared(row->table->rows, row->name, out);
    for (const struct km_setting *r = table && row->table && depth < 8 ? row->table->rows : NULL;
         r && r->name; r++)
        check_row(r, row->name, depth + 1, out);
    if (row->name[0] == '\0')
        problem(out, section, "?", "has an empty name");
}

/* Names of rows of all tables of one section before (t, row), and sections below it. */
static bool taken(const struct km_settings_table *const *tables, size_t t,
                  const struct km_setting *row)
{
    struct km_str section = km_str_c(tables[t]->section), name = km_str_c(row->name);

    for (size_t u = 0; tables[u]; u++)
        if (km_str_eq(km_section_below(km_str_c(tables[u]->section), section), name))
            return true;
    for (size_t u = 0; u <= t; u++) {
        if (strcmp(tables[u]->section, tables[t]->section) != 0)
            continue;
        for (const struct km_setting *r = tables[u]->rows; r->name && r != row; r++)
            if (strcmp(r->name, row->name) == 0)
                return true;
    }
    return false;
}

/* A part needs a place in the mappings it stands in, and a name of its own there. */
static void check_part(const struct km_settings_table *table, struct km_buf *out)
{
    const struct km_setting *part = table->part;

    check_row(part, table->section, 0, out);
    if (part->type != KM_SET_TABLE || !table->under || !table->under->parts)
        problem(out, table->section, part->name, "is a part, and there is no place for it");
    for (const struct km_setting *r = table->under ? table->under->rows : NULL; r && r->name; r++)
        if (strcmp(r->name, part->name) == 0)
            problem(out, table->section, part->name, "is a part and a row of the same mapping");
}

/* Fills everything from defaults alone: whatever is wrong then is wrong with a default. */
static void check_defaults(const struct km_settings_table *const *tables, struct km_buf *out)
{
    struct km_arena arena;
    struct km_env env;
    struct km_node root = { .type = KM_NODE_MAP };
    struct km_diags *diags = km_diags_new();
    struct km_fill fill = {
        .arena = &arena, .diags = diags, .env = &env, .tables = tables, .root = &root
    };
    size_t n = 0;
    void **structs;

    while (tables[n])
        n++;
    km_arena_init(&arena, 64 << 20, NULL);
    km_env_init(&env, &arena, NULL);
    structs = km_arena_zalloc(&arena, n * sizeof *structs);
    if (structs && diags) {
        km_fill_all(&fill, structs);
        if (km_diags_count(diags, KM_DIAG_ERROR) || km_diags_count(diags, KM_DIAG_WARNING))
            km_diags_text(diags, false, out);
    }
    km_diags_free(diags);
    km_arena_done(&arena);
}

void km_config_check_rows(const struct km_settings_table *const *tables, struct km_buf *out)
{
    for (size_t t = 0; tables[t]; t++) {
        if (tables[t]->part)
            check_part(tables[t], out);
        check_shared(tables[t]->rows, tables[t]->section, out);
        for (const struct km_setting *row = tables[t]->rows; row->name; row++) {
            check_row(row, tables[t]->section, 0, out);
            if (taken(tables, t, row))
                problem(out, tables[t]->section, row->name, "occurs twice");
        }
    }
    check_defaults(tables, out);
}
