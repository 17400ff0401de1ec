/* SPDX-License-Identifier: Apache-2.0 */
/* key_inside.h - private to admin/: the routes of keys, file by file. */
#ifndef KM_ADMIN_KEY_INSIDE_H
#define KM_ADMIN_KEY_INSIDE_H

#include "admin/admin.h"

/* KM_E_NOT_FOUND in LiteLLM's words. */
int km_key_unknown(struct km_err *err);
/* The hash as hexadecimal text, in the request's arena: what the audit log names. */
struct km_str km_key_target(struct km_admin *a, const uint8_t hash[32]);

/* A row of a fresh secret, without limits. */
int km_key_make(struct km_admin *a, struct km_key_row *row, struct km_str *ret_secret,
                struct km_err *err) KM_MUST_USE;
/* Defaults (fresh: the key is new) and bounds of the configuration, key_bounds.c; the row may point
 * into the configuration in force, which the request holds. */
int km_key_bound(struct km_admin *a, int64_t now_us, bool fresh, struct km_key_row *row,
                 struct km_err *err) KM_MUST_USE;
/* An alias names one key. */
int km_key_check_alias(struct km_admin *a, const struct km_key_row *row,
                       struct km_err *err) KM_MUST_USE;
/* As LiteLLM shows it, with the window that is current now, which the row need not know of. */
void km_key_show(struct km_key *key, struct km_buf *out);
/* What callers had with it at servers behind us goes too, unless another key has its books. */
void km_key_forget(struct km_admin *a, const uint8_t hash[32]);

/* key_view.c: GET /key/info and /key/list. */
int km_keys_info(struct km_admin *a, struct km_err *err);
int km_keys_list(struct km_admin *a, struct km_err *err);

/* key_remove.c: POST /key/delete. */
int km_keys_remove(struct km_admin *a, struct km_err *err);

#endif
