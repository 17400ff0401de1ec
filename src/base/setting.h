/* SPDX-License-Identifier: Apache-2.0 */
/* setting.h - the row type of settings; plain data, so that any layer can own rows.
 *
 * A module declares a struct and an array of rows beside it:
 *
 *     struct km_http_settings { int64_t header_bytes; ... };
 *     static const struct km_setting rows[] = {
 *         { "header_bytes", KM_SET_BYTES, offsetof(struct km_http_settings, header_bytes),
 *           .def = "32KiB", .min = 1024, .max = 1 << 20, .help = "..." },
 *         { 0 } };
 *     const struct km_settings_table km_http_settings_table = {
 *         .section = "kanmon_settings.limits", .rows = rows,
 *         .size = sizeof(struct km_http_settings) };
 *
 * The engine (config/) fills the struct from defaults, file, environment and flags, checks
 * types and ranges with line and column, and prints schema and reference from the rows.
 * Several tables may share one section; a name may occur once a section.  Strings and lists
 * live as long as the configuration snapshot that holds them.
 */
#ifndef KM_BASE_SETTING_H
#define KM_BASE_SETTING_H

#include "base/str.h"

enum km_setting_type {
    KM_SET_BOOL,       /* bool */
    KM_SET_INT,        /* int64_t */
    KM_SET_BYTES,      /* int64_t; "32KiB", "1MB", 4096 */
    KM_SET_MS,         /* int64_t milliseconds; "10s", "75ms", "10min", or a number of SECONDS */
    KM_SET_SECONDS,    /* int64_t seconds; LiteLLM durations "30d", "1mo", or a number */
    KM_SET_STR,        /* struct km_str; resolves os.environ/NAME */
    KM_SET_SECRET,     /* struct km_str; as STR, masked wherever it is shown */
    KM_SET_ENUM,       /* int64_t: index into .choices */
    KM_SET_PRICE,      /* int64_t pico-USD a unit, from decimal text; -1 unset */
    KM_SET_MONEY,      /* int64_t nano-USD, from decimal text; -1 unset */
    KM_SET_WEIGHT,     /* int64_t thousandths, from decimal text; -1 unset */
    KM_SET_STR_LIST,   /* struct km_str_list; a single string counts as a list of one */
    KM_SET_STR_MAP,    /* struct km_str_map */
    KM_SET_NODE,       /* const struct km_node *: the raw tree (config/tree.h), NULL unset */
    KM_SET_TABLE,      /* nested struct in place, rows in .table */
    KM_SET_TABLE_LIST, /* struct km_table_list: array of structs of .table */
    KM_SET_TABLE_MAP,  /* struct km_table_list with names: map of name to struct of .table */
};

/* A decimal that is not negative; a default of "-1" says that it is unset, which no file can. */
static inline bool km_setting_is_amount(enum km_setting_type type)
{
    return type == KM_SET_PRICE || type == KM_SET_MONEY || type == KM_SET_WEIGHT;
}

enum km_setting_class {
    KM_SUPPORTED,   /* does what it says */
    KM_HARMLESS,    /* accepted, no effect; warned about once */
    KM_RESTRICTIVE, /* would restrict; not honoured, so it stops the start when set (unless it
                        is set to a value that restricts nothing: see .inert) */
    KM_PROTECTIVE, /* accepted, no effect, and what it was to hold off is not held off: an outage,
                      an overload; said in other words than KM_HARMLESS */
};

enum km_setting_flag {
    KM_SET_RESTART = 1, /* changes need a restart (reload warns) */
    KM_SET_SAFETY = 2,  /* unknown keys below it, or an unset os.environ/NAME, refuse to load */
    KM_SET_OPEN = 4,    /* unknown keys below a TABLE are kept, not warned about (litellm_params) */
    KM_SET_REQUIRED = 8,
    KM_SET_WARY = 16, /* of a root table, or for what is below a row: an unknown name that sounds
                         like a restriction (max_..., deny...) refuses to load */
};

struct km_str_list {
    const struct km_str *v;
    size_t n;
};

struct km_str_pair {
    struct km_str name, value;
};

struct km_str_map {
    const struct km_str_pair *v;
    size_t n;
};

struct km_table_list {
    const void *v;              /* n structs of table->size bytes */
    const struct km_str *names; /* TABLE_MAP: n names; else NULL */
    size_t n;
};

struct km_node;
struct km_settings_table;

/* What other tables put below the mappings of a table: see .part. */
struct km_setting_part {
    const struct km_settings_table *table; /* of the part's row */
    const struct km_node *node; /* as it is written */
    const void *v; /* a struct of `table` */
};

struct km_setting_parts { /* those that are written there */
    const struct km_setting_part *v;
    size_t n;
};

struct km_setting {
    const char *name;
    enum km_setting_type type;
    size_t offset;
    const char *def;            /* as it would be written in the file; NULL: zero/unset */
    int64_t min, max;           /* both 0: no range.  In the unit of the field */
    const char *help;           /* one or two sentences, for the reference */
    const char *const *choices; /* ENUM: names, NULL ends */
    const struct km_settings_table *table;
    enum km_setting_class class;
    unsigned flags;
    const char *inert; /* a value that says nothing: of RESTRICTIVE what restricts nothing
                          ("false"), else what is not worth a word (NULL: false, null, empty;
                          "*": anything) */
    const char *instead; /* what to write where the value is of the wrong kind; NULL: no hint */
    const char *env;   /* environment variable that also sets it (LITELLM_MASTER_KEY) */
};

struct km_settings_table {
    const char *section;           /* dotted path of a root table: "kanmon_settings.limits", "" */
    const struct km_setting *rows; /* ends with a row whose name is NULL */
    size_t size;                   /* of the struct */
    size_t extra;                  /* KM_SET_OPEN parents: offset of a `const struct km_node *`
                                   that receives the whole mapping; SIZE_MAX: none.  0 counts
                                   as none where the row is not KM_SET_OPEN */
    unsigned flags;                /* of a root table: KM_SET_SAFETY as on each of its rows and for
                                      what no row knows, or KM_SET_WARY, for that alone */
    size_t parts;                  /* offset of a struct km_setting_parts: what others put below
                                      each mapping of this table; 0: nobody may */
    /* Of a root table: a row, of type TABLE, that stands in every mapping of `under` too.  So a
     * layer above adds to a mapping that a layer below owns. */
    const struct km_setting *part;
    const struct km_settings_table *under;
};

#endif
