/* SPDX-License-Identifier: Apache-2.0 */
/* stdio_words.h - the command line and the environment of a stdio server; private to mcp/.
 *
 * The command line is that of the shim (sys/shim.h) with the limits and the sandbox of the entry.
 * The environment is what the configuration says and a short list of what programs need to find
 * their things; nothing else of ours, which is full of keys.
 */
#ifndef KM_MCP_STDIO_WORDS_H
#define KM_MCP_STDIO_WORDS_H

#include "mcp/ask.h"
#include "sys/sandbox.h"

struct km_stdio_words {
    const char **argv, **envp; /* each ends with NULL */
    size_t argc, envc;
};

/* In the arena.  work_dir: a folder of the server's own.  cgroup: where its memory may be bounded
 * (sys/cgroup.h); empty or NULL: nowhere.  KM_E_LIMIT when there is too much. */
int km_stdio_words(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                   const char *work_dir, const char *cgroup, struct km_arena *arena,
                   struct km_stdio_words *ret, struct km_err *err) KM_MUST_USE;

/* May its first start download what it runs?  By its command: npx, uvx and the like. */
bool km_stdio_installs(const struct km_mcp_upstream *u);

/* Can its sandbox be had here, and do its paths make sense?  Of a process: elsewhere nothing is
 * said (that it is out of place is: upstream/config_part.h).  KM_E_UNSUPPORTED, KM_E_CONFIG,
 * KM_E_LIMIT; *ret_warning: what of a sandbox that is only wished for is missing, or NULL. */
int km_stdio_check(const struct km_mcp_entry *e, const char **ret_warning,
                   struct km_err *err) KM_MUST_USE;

#endif
