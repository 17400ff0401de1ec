/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - the rows as JSON Schema 2020-12, for editors that complete and check YAML.
 *
 * The schema accepts what the engine accepts: any scalar may also be os.environ/NAME, numbers
 * with units may be text, unknown keys are allowed (they are warnings).  Keys we do not honour
 * are listed with their class and accept anything, so that an editor shows why.
 */
#include "base/buf.h"
#include "config/fill.h"
#include "config/value.h"

#include <stdio.h>

enum { MAX_NESTING = 12 }; /* tables that nest in themselves end here */

static void table_schema(const struct km_settings_table *const *tables,
                         const struct km_settings_table *table, unsigned depth, struct km_buf *out);

static void any_of_env(struct km_buf *out, const char *schema)
{
    km_buf_printf(out, "\"anyOf\":[%s,{\"$ref\":\"#/$defs/variable\"},{\"type\":\"null\"}]",
                  schema);
}

static void int_schema(const struct km_setting *row, struct km_buf *out)
{
    char schema[160];

    if (row->min == 0 && row->max == 0)
        snprintf(schema, sizeof schema, "{\"type\":\"integer\"}");
    else
        snprintf(schema, sizeof schema, "{\"type\":\"integer\",\"minimum\":%lld,\"maximum\":%lld}",
                 (long long)row->min, (long long)row->max);
    any_of_env(out, schema);
}

static void enum_schema(const struct km_setting *row, struct km_buf *out)
{
    km_buf_str(out, KM_STR("\"anyOf\":[{\"enum\":["));
    for (size_t i = 0; row->choices[i]; i++) {
        if (i)
            km_buf_byte(out, ',');
        km_buf_json(out, km_str_c(row->choices[i]));
    }
    km_buf_str(out, KM_STR("]},{\"$ref\":\"#/$defs/variable\"},{\"type\":\"null\"}]"));
}

static void unit_schema(const char *units, struct km_buf *out)
{
    char schema[160];

    snprintf(
        schema, sizeof schema,
        "{\"type\":\"number\"},{\"type\":\"string\",\"pattern\":\"^ *[-+]?[0-9._]+ *(%s)? *$\"}",
        units);
    any_of_env(out, schema);
}

static void nested_schema(const struct km_settings_table *const *tables,
                          const struct km_setting *row, unsigned depth, struct km_buf *out)
{
    switch (row->type) {
    case KM_SET_TABLE_LIST:
        km_buf_str(out, KM_STR("\"type\":[\"array\",\"null\"],\"items\":"));
        break;
    case KM_SET_TABLE_MAP:
        km_buf_str(out, KM_STR("\"type\":[\"object\",\"null\"],\"additionalProperties\":"));
        break;
    default:
        km_buf_str(out, KM_STR("\"anyOf\":[{\"type\":\"null\"},"));
        table_schema(tables, row->table, depth + 1, out);
        km_buf_byte(out, ']');
        return;
    }
    table_schema(tables, row->table, depth + 1, out);
}

static void type_schema(const struct km_settings_table *const *tables, const struct km_setting *row,
                        unsigned depth, struct km_buf *out)
{
    switch (row->type) {
    case KM_SET_BOOL:
        any_of_env(out, "{\"type\":\"boolean\"}");
        break;
    case KM_SET_INT:
        int_schema(row, out);
        break;
    case KM_SET_BYTES:
        unit_schema("B|[KMGkmg](i?[Bb])?", out);
        break;
    case KM_SET_MS:
        unit_schema("ms|s|m|min|h|d", out);
        break;
    case KM_SET_SECONDS:
        unit_schema("s|m|min|h|d|w|mo", out);
        break;
    case KM_SET_PRICE:
    case KM_SET_MONEY:
    case KM_SET_WEIGHT:
        any_of_env(out,
                   "{\"type\":\"number\",\"minimum\":0},"
                   "{\"type\":\"string\",\"pattern\":\"^[0-9]*[.]?[0-9]*([eE][-+]?[0-9]+)?$\"}");
        break;
    case KM_SET_STR:
    case KM_SET_SECRET:
        any_of_env(out, "{\"type\":[\"string\",\"number\"]}");
        break;
    case KM_SET_ENUM:
        enum_schema(row, out);
        break;
    case KM_SET_STR_LIST:
        any_of_env(out, "{\"type\":\"array\",\"items\":{\"type\":[\"string\",\"number\"]}},"
                        "{\"type\":[\"string\",\"number\"]}");
        break;
    case KM_SET_STR_MAP:
        any_of_env(out, "{\"type\":\"object\",\"additionalProperties\":"
                        "{\"type\":[\"string\",\"number\",\"null\"]}}");
        break;
    case KM_SET_NODE:
        break;
    default:
        nested_schema(tables, row, depth, out);
    }
}

static void row_schema(const struct km_settings_table *const *tables, const struct km_setting *row,
                       unsigned depth, struct km_buf *out)
{
    static const char *const classes[] = { NULL, "harmless", "restrictive", "protective" };
    size_t before;

    km_buf_json(out, km_str_c(row->name));
    km_buf_str(out, KM_STR(":{"));
    km_buf_str(out, KM_STR("\"description\":"));
    km_buf_json(out, km_str_c(row->help));
    if (row->def) {
        km_buf_str(out, KM_STR(",\"x-kanmon-default\":"));
        km_buf_json(out, km_str_c(row->def));
    }
    if (row->class != KM_SUPPORTED) {
        km_buf_printf(out, ",\"x-kanmon-class\":\"%s\"}", classes[row->class]);
        return;
    }
    km_buf_byte(out, ',');
    before = out->n;
    type_schema(tables, row, depth, out);
    if (out->n == before && !km_buf_failed(out))
        out->n--; /* anything goes: no comma */
    km_buf_byte(out, '}');
}

static void required(const struct km_settings_table *table, struct km_buf *out)
{
    size_t n = 0;

    for (const struct km_setting *row = table->rows; row->name; row++) {
        if (!(row->flags & KM_SET_REQUIRED))
            continue;
        km_buf_str(out, n++ ? KM_STR(",") : KM_STR(",\"required\":["));
        km_buf_json(out, km_str_c(row->name));
    }
    if (n)
        km_buf_byte(out, ']');
}

static void table_schema(const struct km_settings_table *const *tables,
                         const struct km_settings_table *table, unsigned depth, struct km_buf *out)
{
    const struct km_setting *part;
    size_t at = 0;

    km_buf_str(out, KM_STR("{\"type\":\"object\",\"properties\":{"));
    for (const struct km_setting *row = table->rows; row->name && depth < MAX_NESTING; row++) {
        if (row != table->rows)
            km_buf_byte(out, ',');
        row_schema(tables, row, depth, out);
    }
    while (depth < MAX_NESTING && (part = km_part_next(tables, table, &at)) != NULL) {
        km_buf_byte(out, ',');
        row_schema(tables, part, depth, out);
    }
    km_buf_byte(out, '}');
    required(table, out);
    km_buf_byte(out, '}');
}

/* Whether a table before `before` has the same section right below prefix. */
static bool child_seen(const struct km_settings_table *const *tables, size_t before,
                       struct km_str prefix, struct km_str child)
{
    for (size_t t = 0; t < before; t++)
        if (km_str_eq(km_section_below(km_str_c(tables[t]->section), prefix), child))
            return true;
    return false;
}

/* The members of an object: rows of every table of the section, then the sections below. */
static void section_schema(const struct km_settings_table *const *tables, struct km_str prefix,
                           struct km_buf *out)
{
    bool first = true;

    km_buf_str(out, KM_STR("{\"type\":[\"object\",\"null\"],\"properties\":{"));
    for (size_t t = 0; tables[t]; t++) {
        if (!km_str_eq(km_str_c(tables[t]->section), prefix))
            continue;
        for (const struct km_setting *row = tables[t]->rows; row->name; row++) {
            if (!first)
                km_buf_byte(out, ',');
            first = false;
            row_schema(tables, row, 0, out);
        }
    }
    for (size_t t = 0; tables[t]; t++) {
        struct km_str section = km_str_c(tables[t]->section);
        struct km_str child = km_section_below(section, prefix);

        if (!child.n || child_seen(tables, t, prefix, child))
            continue;
        if (!first)
            km_buf_byte(out, ',');
        first = false;
        km_buf_json(out, child);
        km_buf_byte(out, ':');
        section_schema(tables, km_str_sub(section, 0, prefix.n + (prefix.n > 0) + child.n), out);
    }
    km_buf_str(out, KM_STR("}}"));
}

void km_config_schema(const struct km_settings_table *const *tables, struct km_buf *out)
{
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(16 << 20);

    section_schema(tables, KM_STR_NONE, &body);
    km_buf_str(out, KM_STR("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                           "\"title\":\"kanmon configuration\","
                           "\"$defs\":{\"variable\":{\"type\":\"string\",\"pattern\":"
                           "\"^os\\\\.environ/.+\"}},"));
    km_buf_str(out, km_str_skip(km_buf_view(&body), 1));
    km_buf_byte(out, '\n');
    if (km_buf_failed(&body))
        km_buf_fail(out);
}
