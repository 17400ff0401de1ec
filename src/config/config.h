/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - loads a configuration into an immutable, reference-counted snapshot.
 *
 * Sources, strongest first: flags, environment (KANMON_<FLAG> and rows' own variables named
 * KANMON_...), the file (with its `include`s), rows' other variables (LITELLM_MASTER_KEY stands
 * in for an absent key, as in LiteLLM), defaults.  <FLAG> is the path below kanmon_settings in
 * capitals: KANMON_LIMITS_HEADER_BYTES.  `.env` then `.env.local` beside the file are read
 * into the process's view of the environment without overriding what is set there, as is
 * `environment_variables`.
 *
 * Loading reports every problem to *diags and fails if one is an error.  A loaded snapshot
 * never changes; reload makes a new one and swaps the pointer.
 */
#ifndef KM_CONFIG_CONFIG_H
#define KM_CONFIG_CONFIG_H

#include "base/setting.h"
#include "config/diag.h"

struct km_arena;
struct km_buf;
struct km_config;
struct km_node;
struct km_veil;

struct km_config_flag {
    const char *path; /* "kanmon_settings.workers" */
    const char *flag; /* "--workers", for messages and origins */
    const char *value;
};

/* More of the configuration, as YAML or JSON.  Of a mapping what the file says wins; items of a
 * list at the top come behind the file's. */
struct km_config_below {
    const char *name; /* what it is called where a place is named */
    struct km_str text; /* empty: nothing */
};

#define KM_CONFIG_BELOW 2
#define KM_CONFIG_NO_FILE "/dev/null" /* as the file: there is none, and that is meant */

struct km_config_args {
    const char *file; /* required path of the YAML file */
    const struct km_settings_table *const
        *tables; /* NULL ends; one list for the program, in app/ */
    const struct km_config_flag *flags;
    size_t nflags;
    const char *const *environ; /* NULL: the process's */
    struct km_config_below below[KM_CONFIG_BELOW];
};

/* A missing file is KM_E_NOT_FOUND with a text that names the path and how to create one.
 * On KM_E_CONFIG the problems are in diags (required, the caller's). */
int km_config_load(const struct km_config_args *args, struct km_diags *diags,
                   struct km_config **ret_config, struct km_err *err) KM_MUST_USE;

struct km_config *km_config_ref(struct km_config *config); /* any thread */
struct km_config *km_config_unref(struct km_config *config); /* returns NULL */

/* The filled struct of a table; never NULL for a table in args->tables. */
const void *km_config_get(const struct km_config *config, const struct km_settings_table *table);

const struct km_node *km_config_root(const struct km_config *config);
struct km_str km_config_file(const struct km_config *config);

/* Whether kanmon_settings.accept_unsupported names the path ("model_list.litellm_params.x", no
 * places in lists) or one above it.  The arena takes what is made on the way. */
bool km_config_accepts(const struct km_config *config, struct km_arena *arena, struct km_str path);

/* A variable as configuration sees it: process, .env files, environment_variables. */
bool km_config_getenv(const struct km_config *config, const char *name, struct km_str *ret_value);

/* One text setting ("section.name") of a file that may be broken, incomplete or gone, and whose
 * secrets need not be set here: what the variable says, else the file as far as it can be read.
 * False: nobody says.  For who looks for a gateway that runs; nothing is judged. */
bool km_config_peek(const char *file, const char *path, const char *variable, char *out,
                    size_t cap);

/* Tells the veil all that is a credential in it: settings, header fields, environments of children,
 * arguments, what URLs hold, and variables by their names. */
void km_config_veil(const struct km_config *config, struct km_veil *veil);

/* Effective settings, one a line with origin (default, file:line, env NAME, flag), secrets
 * masked; or the same as JSON. */
void km_config_show(const struct km_config *config, bool json, struct km_buf *out);

/* From the rows alone: JSON Schema 2020-12, and the Markdown reference. */
void km_config_schema(const struct km_settings_table *const *tables, struct km_buf *out);
void km_config_docs(const struct km_settings_table *const *tables, struct km_buf *out);

/* Where the value of a setting ("kanmon_settings.workers") comes from, to point at; NULL: nothing
 * sets it. */
const struct km_node *km_config_origin(const struct km_config *config, const char *path);

/* Keys (dotted) whose rows have KM_SET_RESTART and that differ between the two. */
void km_config_needs_restart(const struct km_config *from, const struct km_config *to,
                             struct km_buf *out_names);

/* What is wrong with the rows themselves, one a line: a name that occurs twice in a section, a
 * default its own row refuses, a row without help.  Nothing is written when all is well. */
void km_config_check_rows(const struct km_settings_table *const *tables, struct km_buf *out);

/* config's own rows: include, environment_variables, credential_list, accept_unsupported. */
extern const struct km_settings_table km_config_top_table;
extern const struct km_settings_table km_config_own_table;

#endif
