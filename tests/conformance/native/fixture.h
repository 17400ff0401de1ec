/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - the server of the conformance suite on kanmon's own framework (mcp/server).
 *
 * It offers what catalogue.mjs offers, by the same names and texts: rows of tools, resources and
 * prompts, and nothing besides.  It is built with the tests alone.
 */
#ifndef KM_FIXTURE_H
#define KM_FIXTURE_H

#include "mcp/builtin.h"

#define FIXTURE_ROWS 64

struct fixture {
    struct km_mcp_server mcp; /* first: the core knows it by this */
    struct km_mcp_builtin_args args;
    struct km_mcp_tool tools[FIXTURE_ROWS]; /* the last one comes and goes */
    struct km_mcp_prompt prompts[FIXTURE_ROWS]; /* likewise */
};

extern const struct km_mcp_builtin km_fixture_builtin;

/* rows.c, asks.c: what there is. */
extern const struct km_mcp_tool fixture_tools[], fixture_asking_tools[];
extern const size_t fixture_ntools, fixture_nasking_tools;
extern const struct km_mcp_resource fixture_resources[];
extern const size_t fixture_nresources;
extern const struct km_mcp_prompt fixture_prompts[];
extern const size_t fixture_nprompts;

int fixture_say(struct km_mcp_call *call, const char *text);
int fixture_input_prompt(struct km_mcp_call *call, struct km_err *err);
/* Of a tool that works for a while (rows.c). */
void fixture_cancel(struct km_mcp_call *call);
void fixture_drop(struct km_mcp_call *call);

#define TEXT(s)                                                                                    \
    {                                                                                              \
        "" s "", sizeof(s) - 1                                                                     \
    }
#define NO_ARGUMENTS TEXT("{\"type\":\"object\",\"properties\":{}}")
#define PNG                                                                                        \
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/"                     \
    "iZk9HQAAAABJRU5ErkJggg"                                                                       \
    "=="

#endif
