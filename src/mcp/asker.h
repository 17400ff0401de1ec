/* SPDX-License-Identifier: Apache-2.0 */
/* asker.h - what the configuration makes of somebody who asks: header lines, environment, and the
 * key that says with whom sessions, children and catalogues may be shared.  Private to mcp/.
 */
#ifndef KM_MCP_ASKER_H
#define KM_MCP_ASKER_H

#include "mcp/ask.h"
#include "mcp/upstream/live.h"

/* The next NAME of "${X-NAME}" in what is left of a text; false: there is none. */
bool km_asker_next_wanted(struct km_str *rest, struct km_str *ret_name);
/* There is one. */
bool km_asker_wanted(struct km_str text);
/* Appends text with each ${X-NAME} replaced by that header of the asker's: by nothing where it has
 * none, or keeps it back. */
void km_asker_expand(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                     struct km_str text, struct km_buf *out);
/* Each principal logs in there by itself, by the token it came with, or with a credential of its
 * own. */
bool km_asker_by_login(const struct km_mcp_entry *e);
/* Its headers or environment are made of the client's, or of a login of the client's. */
bool km_asker_personal(const struct km_mcp_entry *e);

/* Everything of it but the log level, in the arena; NULL: nobody.  KM_E_NOMEM: over its cap. */
int km_asker_copy(const struct km_mcp_asker *from, struct km_arena *arena,
                  struct km_mcp_asker *ret) KM_MUST_USE;
/* Does it declare something that this server may ask its client? */
bool km_asker_declares(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker);
/* A client of the handshake era that can be asked something: what a server of both eras wants to
 * know of it, it asks by a request of its own, and so in the handshake era alone. */
bool km_asker_asked(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker);
/* All zero for an asker without anything of its own: no capabilities, no headers that count. */
int km_asker_key(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                 uint8_t key[KM_MCP_KEY], struct km_err *err) KM_MUST_USE;
/* What tells catalogues apart: `own` of sessions that declare the asker's capabilities, `base` of
 * those that declare none.  A client's session does not count.  Equal where it declares nothing. */
int km_asker_list_keys(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                       uint8_t own[KM_MCP_KEY], uint8_t base[KM_MCP_KEY],
                       struct km_err *err) KM_MUST_USE;
/* The asker of the base. */
struct km_mcp_asker km_asker_base(const struct km_mcp_asker *asker);
/* What `mcp_modes` of the asker's rights says of a server that is part of kanmon, in the arena;
 * empty: nothing. */
struct km_str km_asker_grant(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                             struct km_arena *arena);
/* What `mcp_values` of the asker's rights says of such a server, a JSON object appended; nothing:
 * it says nothing.  Each request carries it, so that askers who differ in nothing else share. */
void km_asker_values(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                     struct km_buf *out);
/* A header of a client's that no server is sent by that name: it proves the client to kanmon (as
 * key_header does, the one the configuration has for keys), or is a connection's own. */
bool km_asker_kept_back(struct km_str name, struct km_str key_header);
/* Appends the header lines that depend on the asker: those static ones with `${X-NAME}`, and those
 * it has sent that may go on, but none that is configured. */
int km_asker_head(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                  struct km_buf *head, struct km_err *err) KM_MUST_USE;
/* Appends the line of a credential as the entry's auth_type wants it; nothing: it wants none that
 * is fixed, or value is empty. */
int km_asker_credential(const struct km_mcp_entry *e, struct km_str value, struct km_buf *head,
                        struct km_err *err) KM_MUST_USE;
/* The same for an auth_type by itself. */
int km_asker_line(int64_t auth, struct km_str value, struct km_buf *head,
                  struct km_err *err) KM_MUST_USE;
/* Does km_asker_head()'s `own` say who asks (Authorization, or where the entry's auth_type has it)?
 * Then nobody else has to. */
bool km_asker_proven(const struct km_mcp_upstream *u, struct km_str own);
/* Appends what every request to it says: static headers, `own`, and the configured credential where
 * `own` has none. */
void km_asker_lines(const struct km_mcp_upstream *u, struct km_str own, struct km_buf *head);
/* The configured environment with `${X-NAME}` replaced, as "NAME=value" strings in the arena.  A
 * header that is not there is empty. */
int km_asker_env(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                 struct km_arena *arena, const char ***ret_env, size_t *ret_n,
                 struct km_err *err) KM_MUST_USE;

#endif
