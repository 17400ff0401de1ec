/* SPDX-License-Identifier: Apache-2.0 */
/* docs.c - the rows as the Markdown reference, docs/configuration.md.
 *
 * One heading a section, in the order the tables are listed; below it what is supported, then
 * nested mappings under headings of their own, then the keys of LiteLLM that are accepted
 * without effect and those that stop the start.  Everything comes from the rows: a text that
 * is wrong here is wrong in `config check` as well.
 */
#include "base/buf.h"
#include "config/fill.h"
#include "config/value.h"

#include <stdio.h>

enum { MAX_NESTING = 8 };

static const char *const intro =
    "# Configuration\n"
    "\n"
    "<!-- Written by `kanmon config docs` from the settings rows; do not edit. -->\n"
    "\n"
    "kanmon reads LiteLLM's `config.yaml` and one key of its own, `kanmon_settings`, which\n"
    "LiteLLM ignores.  A value comes from the first of these that has one: a flag, a variable\n"
    "`KANMON_<FLAG>`, the file, a variable LiteLLM knows (such as `LITELLM_MASTER_KEY`), the\n"
    "default.  `<FLAG>` is the path below `kanmon_settings` in capitals, for example\n"
    "`KANMON_LIMITS_HEADER_BYTES`.\n"
    "\n"
    "- `os.environ/NAME` anywhere takes a variable of the process, of `environment_variables`, or\n"
    "  of `.env.local` or `.env` beside the file.\n"
    "- `enc:...` in a secret is opened with the key in `KANMON_SECRET_KEY`.\n"
    "- YAML means what it means to PyYAML: `yes` is a boolean, `0777` is octal, `1e3` is text.\n"
    "- A key kanmon does not honour either has no effect, which is said once, or would restrict\n"
    "  something; then the start stops unless it is listed in\n"
    "  `kanmon_settings.accept_unsupported`.\n"
    "- An unknown key is a warning.  It stops the start where it may have been a restriction: a\n"
    "  near miss of a section or of a key that restricts, such a key in the wrong section, a\n"
    "  name with `allowed_`, `deny`, `block`, `disable`, `enforce`, `require`, `max_` or `_limit`\n"
    "  in one of LiteLLM's sections or of kanmon's, any key of `kanmon_settings.limits`, of TLS\n"
    "  and of what MCP servers may do; unless it is false, null or empty, or listed as above.\n"
    "- `kanmon config check` reports every problem with its place; `kanmon config show` prints\n"
    "  what is in force and where it came from; `kanmon config schema` prints a JSON Schema.\n";

/* Text for a cell: '|' would end it. */
static void cell(struct km_buf *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '|')
            km_buf_byte(out, '\\');
        km_buf_byte(out, *text == '\n' ? ' ' : *text);
    }
}

static void choices_cell(const struct km_setting *row, struct km_buf *out)
{
    for (size_t i = 0; row->choices && row->choices[i]; i++)
        km_buf_printf(out, "%s`%s`", i ? ", " : "", row->choices[i]);
}

static void range_cell(const struct km_setting *row, struct km_buf *out)
{
    const char *unit = row->type == KM_SET_MS        ? " ms"
                       : row->type == KM_SET_SECONDS ? " s"
                       : row->type == KM_SET_BYTES   ? " bytes"
                                                     : "";

    if (row->min == 0 && row->max == 0)
        return;
    if (row->max == INT64_MAX)
        km_buf_printf(out, " (at least %lld%s)", (long long)row->min, unit);
    else
        km_buf_printf(out, " (%lld to %lld%s)", (long long)row->min, (long long)row->max, unit);
}

static void supported_row(const struct km_setting *row, struct km_buf *out)
{
    km_buf_printf(out, "| `%s` | ", row->name);
    if (row->type == KM_SET_ENUM)
        choices_cell(row, out);
    else
        cell(out, km_value_expects(row->type));
    range_cell(row, out);
    km_buf_str(out, KM_STR(" | "));
    if (row->flags & KM_SET_REQUIRED)
        km_buf_str(out, KM_STR("required"));
    else if (row->def &&
             !(km_setting_is_amount(row->type) && strcmp(row->def, "-1") == 0)) /* unset */
        km_buf_printf(out, "`%s`", row->def);
    km_buf_str(out, KM_STR(" | "));
    cell(out, row->help);
    if (row->env)
        km_buf_printf(out, " Also: `%s`.", row->env);
    if (row->flags & KM_SET_RESTART)
        km_buf_str(out, KM_STR(" A change needs a restart."));
    km_buf_str(out, KM_STR(" |\n"));
}

static size_t count(const struct km_settings_table *table, enum km_setting_class class)
{
    size_t n = 0;

    for (const struct km_setting *row = table->rows; row->name; row++)
        n += row->class == class;
    return n;
}

static void supported(const struct km_settings_table *table, struct km_buf *out)
{
    for (const struct km_setting *row = table->rows; row->name; row++)
        if (row->class == KM_SUPPORTED)
            supported_row(row, out);
}

static void ignored(const struct km_settings_table *table, enum km_setting_class class,
                    struct km_buf *out)
{
    for (const struct km_setting *row = table->rows; row->name; row++) {
        if (row->class != class)
            continue;
        km_buf_printf(out, "| `%s` | ", row->name);
        cell(out, row->help);
        if (class == KM_RESTRICTIVE && row->inert) {
            km_buf_str(out, KM_STR(" Restricts nothing: `"));
            for (const char *p = row->inert; *p; p++)
                km_buf_str(out, *p == '|' ? KM_STR("`, `") : km_str(p, 1));
            km_buf_str(out, KM_STR("`."));
        }
        km_buf_str(out, KM_STR(" |\n"));
    }
}

static const char supported_head[] = "| key | takes | default | meaning |\n|---|---|---|---|\n";

static bool nests(const struct km_setting *row)
{
    return row->type == KM_SET_TABLE || row->type == KM_SET_TABLE_LIST ||
           row->type == KM_SET_TABLE_MAP;
}

static const char restrictive_title[] =
    "Not honoured, and stops the start when set, because ignoring it would allow more than the "
    "file says:";
static const char protective_title[] =
    "Accepted without effect, which is said when set, because what it protects from is not held "
    "off:";
static const char harmless_title[] = "Accepted without effect:";

static void ignored_table(const struct km_settings_table *table, enum km_setting_class class,
                          const char *title, struct km_buf *out)
{
    if (!count(table, class))
        return;
    km_buf_printf(out, "\n%s\n\n| key | why |\n|---|---|\n", title);
    ignored(table, class, out);
}

static void nested(const struct km_settings_table *const *tables,
                   const struct km_settings_table *table, const char *path, unsigned depth,
                   struct km_buf *out);

/* A mapping below a row, under its own heading. */
static void nested_row(const struct km_settings_table *const *tables, const struct km_setting *row,
                       const char *path, unsigned depth, struct km_buf *out)
{
    static const char *const suffix[] = {
        [KM_SET_TABLE] = "", [KM_SET_TABLE_LIST] = "[]", [KM_SET_TABLE_MAP] = ".NAME"
    };
    const struct km_setting *part;
    size_t i = 0;
    char at[256];

    if (!nests(row) || row->class != KM_SUPPORTED)
        return;
    snprintf(at, sizeof at, "%s%s%s%s", path, *path ? "." : "", row->name, suffix[row->type]);
    km_buf_printf(out, "\n### `%s`\n\n%s", at, supported_head);
    supported(row->table, out);
    while ((part = km_part_next(tables, row->table, &i)) != NULL)
        supported_row(part, out);
    if (row->flags & KM_SET_OPEN)
        km_buf_str(out, KM_STR("\nOther keys are kept and passed on.\n"));
    ignored_table(row->table, KM_RESTRICTIVE, restrictive_title, out);
    ignored_table(row->table, KM_PROTECTIVE, protective_title, out);
    ignored_table(row->table, KM_HARMLESS, harmless_title, out);
    nested(tables, row->table, at, depth + 1, out);
}

static void nested(const struct km_settings_table *const *tables,
                   const struct km_settings_table *table, const char *path, unsigned depth,
                   struct km_buf *out)
{
    const struct km_setting *part;
    size_t i = 0;

    if (depth >= MAX_NESTING)
        return;
    for (const struct km_setting *row = table->rows; row->name; row++)
        nested_row(tables, row, path, depth, out);
    while ((part = km_part_next(tables, table, &i)) != NULL)
        nested_row(tables, part, path, depth, out);
}

static size_t count_section(const struct km_settings_table *const *tables, const char *section,
                            enum km_setting_class class)
{
    size_t n = 0;

    for (; *tables; tables++)
        if (strcmp((*tables)->section, section) == 0)
            n += count(*tables, class);
    return n;
}

static void ignored_section(const struct km_settings_table *const *tables, const char *section,
                            enum km_setting_class class, const char *title, struct km_buf *out)
{
    if (!count_section(tables, section, class))
        return;
    km_buf_printf(out, "\n%s\n\n| key | why |\n|---|---|\n", title);
    for (; *tables; tables++)
        if (strcmp((*tables)->section, section) == 0)
            ignored(*tables, class, out);
}

static void section_docs(const struct km_settings_table *const *tables, const char *section,
                         struct km_buf *out)
{
    if (*section)
        km_buf_printf(out, "\n## `%s`\n", section);
    else
        km_buf_str(out, KM_STR("\n## At the top of the file\n"));
    if (count_section(tables, section, KM_SUPPORTED)) {
        km_buf_printf(out, "\n%s", supported_head);
        for (size_t t = 0; tables[t]; t++)
            if (strcmp(tables[t]->section, section) == 0)
                supported(tables[t], out);
    }
    for (size_t t = 0; tables[t]; t++)
        if (strcmp(tables[t]->section, section) == 0)
            nested(tables, tables[t], section, 0, out);
    ignored_section(tables, section, KM_RESTRICTIVE, restrictive_title, out);
    ignored_section(tables, section, KM_PROTECTIVE, protective_title, out);
    ignored_section(tables, section, KM_HARMLESS, harmless_title, out);
}

void km_config_docs(const struct km_settings_table *const *tables, struct km_buf *out)
{
    km_buf_str(out, km_str_c(intro));
    for (size_t t = 0; tables[t]; t++) {
        bool seen = false;

        for (size_t u = 0; u < t; u++)
            seen = seen || strcmp(tables[u]->section, tables[t]->section) == 0;
        if (!seen)
            section_docs(tables, tables[t]->section, out);
    }
}
