/* SPDX-License-Identifier: Apache-2.0 */
/* env.h - the environment as configuration sees it.
 *
 * Strongest first: the process's variables, `environment_variables` of the file, `.env.local`,
 * `.env`.  Everything is copied into the arena, so that a snapshot keeps what it was made from.
 */
#ifndef KM_CONFIG_ENV_H
#define KM_CONFIG_ENV_H

#include "config/diag.h"

struct km_env_var {
    struct km_env_var *next;
    struct km_str name, value;
};

enum km_env_source { KM_ENV_PROCESS, KM_ENV_FILE, KM_ENV_LOCAL, KM_ENV_DOTENV, KM_ENV_SOURCES };

struct km_env {
    struct km_arena *arena;
    struct km_env_var *vars[KM_ENV_SOURCES];
};

/* Empty with environ NULL-terminated "NAME=value" strings copied in. */
void km_env_init(struct km_env *env, struct km_arena *arena, const char *const *environ);
void km_env_set(struct km_env *env, enum km_env_source source, struct km_str name,
                struct km_str value);

/* Reads the text of a .env file: NAME=value, `export` allowed, quotes, # comments, ${NAME} and
 * ${NAME:-default} outside single quotes.  A line that is none of these is a warning without
 * its text. */
void km_env_dotenv(struct km_env *env, enum km_env_source source, struct km_str file,
                   struct km_str text, struct km_diags *diags);

/* true, yes, on, 1 and false, no, off, 0 in any case; KM_E_INVALID for everything else. */
int km_env_bool(struct km_str text, bool *ret_value) KM_MUST_USE;

/* KANMON_PORT=tcp://10.0.0.1:4000: not a setting but what Kubernetes and Docker's links put into
 * the environment of whatever runs beside a service of that name. */
bool km_env_is_service(struct km_str name, struct km_str value);

bool km_env_get(const struct km_env *env, struct km_str name, struct km_str *ret_value);

#endif
