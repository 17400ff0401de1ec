/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - the one place that turns a configured text into its secret value.
 *
 * `os.environ/NAME` resolves from the environment as configuration sees it; `enc:<base64url>`
 * opens with the key of KANMON_SECRET_KEY (AES-256-GCM, bound to the setting's path); anything
 * else is itself.
 */
#ifndef KM_CONFIG_SECRET_H
#define KM_CONFIG_SECRET_H

#include "base/arena.h"

struct km_buf;

typedef bool km_getenv_fn(void *ctx, const char *name, struct km_str *ret_value);

/* *ret_found is false when text names a variable that is not set (value is then empty). */
int km_secret_resolve(struct km_arena *arena, struct km_str text, struct km_str path,
                      km_getenv_fn *getenv_fn, void *ctx, struct km_str *ret_value, bool *ret_found,
                      struct km_err *err) KM_MUST_USE;

/* The `enc:` form of a value, for `kanmon config encrypt`. */
int km_secret_seal(const uint8_t key[32], struct km_str value, struct km_str path,
                   struct km_buf *out, struct km_err *err) KM_MUST_USE;

#endif
