/* SPDX-License-Identifier: Apache-2.0 */
/* key_permission.h - a key's object_permission, before it is kept. */
#ifndef KM_ADMIN_KEY_PERMISSION_H
#define KM_ADMIN_KEY_PERMISSION_H

#include "http/json.h"

/* 0 for null, which lifts what was said, and for an object of parts that are enforced, each in its
 * form: an empty one names nothing, so nothing may be used.  KM_E_INVALID says which part is to be
 * what, KM_E_UNSUPPORTED which would restrict the key and is not known. */
int km_key_permission_check(const struct km_json *permission, struct km_arena *arena,
                            struct km_err *err) KM_MUST_USE;

#endif
