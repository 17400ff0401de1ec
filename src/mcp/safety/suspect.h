/* SPDX-License-Identifier: Apache-2.0 */
/* suspect.h - what a server offers beside tools and scan.h flags: prompts, resources, templates,
 * its instructions.
 *
 *     a server's lists came ──> km_suspects_look ──> told, the first time
 *                                      └──> kept, until lists of the same asker are without it
 *
 * Nothing is withheld or remembered beyond the process: tools alone are pinned (pin.h).
 * Thread: any; locked inside.  Callbacks run under that lock and must not come back here.
 */
#ifndef KM_MCP_SUSPECT_H
#define KM_MCP_SUSPECT_H

#include "mcp/safety/scan.h"

#define KM_SUSPECTS_MOST 64 /* of a server; more are not kept, and so told of again */
#define KM_SUSPECT_NAME 128 /* bytes of a name that are kept */

struct km_suspect {
    const char *kind; /* "prompt"; static */
    struct km_str name;
    const uint8_t *hash; /* 32 bytes, of all of it */
    unsigned flags; /* enum km_scan_flag */
};
typedef void km_suspect_fn(void *ctx, const struct km_suspect *s);

struct km_suspects;
struct km_suspects *km_suspects_new(void); /* NULL: no memory */
struct km_suspects *km_suspects_free(struct km_suspects *s);

/* What was flagged in lists that an asker with this key (64 bits of it) was shown; news is called
 * for each that was not known. */
void km_suspects_look(struct km_suspects *s, uint64_t key, const struct km_suspect *v, size_t n,
                      km_suspect_fn *news, void *ctx);
/* Objects without brackets: {"server","kind","name","state","flags","since"},... */
void km_suspects_json(struct km_suspects *s, struct km_str server, struct km_buf *out);

#endif
