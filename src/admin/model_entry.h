/* SPDX-License-Identifier: Apache-2.0 */
/* model_entry.h - private to admin/: a model as LiteLLM's routes say it, as the store has it (an
 * entry of model_list), and as it is shown. */
#ifndef KM_ADMIN_MODEL_ENTRY_H
#define KM_ADMIN_MODEL_ENTRY_H

#include "http/json.h"

#define KM_MODEL_ID_MOST 128
#define KM_MODEL_NAME_MOST 256

/* What a request says, judged for itself.  Views of the tree. */
struct km_model_said {
    const struct km_json *name, *params, *info; /* NULL: not said */
    struct km_str id; /* model_info.id, else the body's own; empty: not said */
};
/* KM_E_INVALID names the member. */
int km_model_said_read(const struct km_json *body, struct km_model_said *ret,
                       struct km_err *err) KM_MUST_USE;
/* A new one has a name and a model. */
int km_model_said_whole(const struct km_model_said *said, struct km_err *err) KM_MUST_USE;

/* KM_E_FORBIDDEN where it writes out a link-local or metadata address: those are the file's alone.
 * A name that leads to one is found when it is called (net/dial.h). */
int km_model_entry_addresses(struct km_arena *arena, struct km_str entry,
                             struct km_err *err) KM_MUST_USE;
/* What only somebody on this machine may store: what reads its variables, files and credentials. */
int km_model_entry_outside(struct km_arena *arena, struct km_str entry,
                           struct km_err *err) KM_MUST_USE;

struct km_model_stamp {
    struct km_str id, by;
    int64_t now_us;
};
/* The entry: what is said over what was there (empty: nothing was).  null leaves a member as it is,
 * but takes a price away, as in LiteLLM. */
int km_model_entry_write(struct km_arena *arena, const struct km_json *body,
                         const struct km_model_said *said, struct km_str before,
                         const struct km_model_stamp *stamp, struct km_str *ret,
                         struct km_err *err) KM_MUST_USE;

/* LiteLLM's row of it, without what may be a credential or an address. */
void km_model_entry_show(struct km_arena *arena, struct km_str entry, struct km_buf *out);
/* Which members were said, as the audit log has it: names, never values. */
struct km_str km_model_said_names(const struct km_model_said *said, struct km_arena *arena);

#endif
