/* SPDX-License-Identifier: Apache-2.0 */
/* added.h - MCP servers and models that were added at run time, as text for the configuration.
 *
 *     file ───────────────────────┐
 *                                 ├─ km_config_load ──> snapshot, as for any reload
 *     store ──> struct km_added ── {"mcp_servers": {...}}   below the file: its names win
 *               struct km_added ── {"model_list": [...]}    behind the file's: its ids win
 *
 * So what was added is checked, merged and started by the very code that does it for the file.
 * Each entry has a line of its own in the text: a problem's line tells whose it is.
 *
 * Thread: main.
 */
#ifndef KM_HOST_ADDED_H
#define KM_HOST_ADDED_H

#include "base/buf.h"
#include "base/err.h"

struct km_added;
struct km_gateway;
struct km_store;

#define KM_MCP_ADDED_MOST 500
#define KM_MCP_ADDED_BYTES ((size_t)6 << 20) /* all of them */
#define KM_MODELS_ADDED_MOST 1000
#define KM_MODELS_ADDED_BYTES ((size_t)6 << 20)

/* What is added. */
struct km_added_sort {
    const char *section; /* of the configuration */
    const char *what; /* for messages: "MCP servers" */
    const char *place; /* what they are called where a place is named */
    const char *event; /* of the log */
    size_t most, bytes;
    bool list; /* a list of entries; else a mapping by name */
};
extern const struct km_added_sort km_added_servers, km_added_models;

struct km_added *km_added_new(const struct km_added_sort *sort);
struct km_added *km_added_free(struct km_added *a);
const struct km_added_sort *km_added_sort_of(const struct km_added *a);
/* What the store has; blocking, before loops run.  *ret_lost: so many do not open. */
int km_added_load_servers(struct km_added *a, struct km_store *store, size_t *ret_lost,
                          struct km_err *err) KM_MUST_USE;
int km_added_load_models(struct km_added *a, struct km_store *store, size_t *ret_lost,
                         struct km_err *err) KM_MUST_USE;

size_t km_added_count(const struct km_added *a); /* those that are left out, too */
/* Its entry, until the next change; NULL-pointer text: there is none. */
struct km_str km_added_get(const struct km_added *a, struct km_str name);
/* json empty: removes it.  One that was left out is in again. */
int km_added_set(struct km_added *a, struct km_str name, struct km_str json,
                 struct km_err *err) KM_MUST_USE;
/* {"section":{name:entry,...}} or {"section":[entry,...]}, an entry a line, without those that are
 * left out.  Nothing where there is none. */
void km_added_text(const struct km_added *a, struct km_buf *out);

/* Keeps out of the text, until it is set again, the entry that has this line of it; 0: all.
 * Returns the name, or nothing where the line is no entry's. */
struct km_str km_added_leave_out(struct km_added *a, unsigned line);

#endif
