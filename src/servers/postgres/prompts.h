/* SPDX-License-Identifier: Apache-2.0 */
/* prompts.h - private to the server: texts a person picks to begin with. */
#ifndef KM_SERVERS_POSTGRES_PROMPTS_H
#define KM_SERVERS_POSTGRES_PROMPTS_H

#include "servers/postgres/server.h"

/* Those that every server has. */
void km_pg_prompts_add(struct km_pg_server *s);
/* One of the definitions: {name, description, arguments, text}; what it needs goes into the arena,
 * and the definition outlives the server.  KM_E_CONFIG with the reason. */
int km_pg_prompts_add_own(struct km_pg_server *s, struct km_arena *arena,
                          const struct km_json *definition, struct km_err *err) KM_MUST_USE;

#endif
