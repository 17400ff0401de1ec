/* SPDX-License-Identifier: Apache-2.0 */
/* priced.h - what of a request changes its price, beside its length and its bound.
 *
 * How it is to be served (service_tier, speed, inference_geo), which tools the provider is to run
 * itself, and what the provider may read that was not sent.  Which members of which API do that,
 * and which of their values, are rows of a table (priced_rows.c).  A value that is everybody's
 * default changes nothing; one that no row knows has no price, and is named.
 *
 * Reading never refuses for money: whether there is a price for what was asked, and whether the key
 * may have it, is judged at admission.
 */
#ifndef KM_LLM_API_PRICED_H
#define KM_LLM_API_PRICED_H

#include "base/right.h"
#include "http/message.h"
#include "llm/api.h"

/* Whose members: bits. */
enum km_priced_api {
    KM_PRICED_OPENAI = 1 << 0, /* chat, completions, embeddings and what is compatible with them */
    KM_PRICED_RESPONSES = 1 << 1,
    KM_PRICED_MESSAGES = 1 << 2,
    KM_PRICED_GEMINI = 1 << 3,
    KM_PRICED_CONVERSE = 1 << 4,
    KM_PRICED_REALTIME = 1 << 5,
};
/* A body of InvokeModel or rawPredict is the model's own: anybody's. */
#define KM_PRICED_MODEL                                                                            \
    (KM_PRICED_OPENAI | KM_PRICED_MESSAGES | KM_PRICED_GEMINI | KM_PRICED_CONVERSE)
#define KM_PRICED_ANY (KM_PRICED_MODEL | KM_PRICED_RESPONSES | KM_PRICED_REALTIME)

/* Tools that providers run, by what they do: what a key may be allowed, by these names. */
#define KM_HOSTED_TOOLS(X)                                                                         \
    X(WEB_SEARCH, "web_search")                                                                    \
    X(WEB_FETCH, "web_fetch")                                                                      \
    X(CODE, "code_interpreter")                                                                    \
    X(FILE_SEARCH, "file_search")                                                                  \
    X(IMAGE, "image_generation")                                                                   \
    X(MCP, "mcp")                                                                                  \
    X(MAPS, "maps")                                                                                \
    X(OTHER, "other")
#define KM_HOSTED_TOOL_ENUM(id, name) KM_HOSTED_TOOL_##id,
enum km_hosted_tool { KM_HOSTED_TOOLS(KM_HOSTED_TOOL_ENUM) KM_HOSTED_TOOL_COUNT };
#undef KM_HOSTED_TOOL_ENUM

/* Fills r->priced of a body that km_llm_read_members() has read; apis: whose members count.
 * tools: where the body's `tools` stand, when its API has read that; NULL: it is looked for.
 * KM_E_INVALID names a member that says how often a tool may be used and is no number. */
int km_llm_priced_read(struct km_llm_request *r, unsigned apis, const struct km_json_span *tools,
                       struct km_arena *arena, struct km_err *err) KM_MUST_USE;

/* The same of one JSON object that is no request's body: a line of a batch, a session, the
 * parameters of a deployment. */
int km_llm_priced_object(struct km_str object, unsigned apis, struct km_arena *arena,
                         struct km_llm_priced *ret, struct km_err *err) KM_MUST_USE;

/* Below a prefix a vendor may be asked in the head too; what it says counts as well. */
void km_llm_priced_head(struct km_llm_priced *p, const struct km_headers *h,
                        struct km_arena *arena);

/* Adds what another part of the same request asks for: the dearer of both. */
void km_llm_priced_add(struct km_llm_priced *p, const struct km_llm_priced *more);

/* What r asks of this deployment, whose own parameters stand where the request has none:
 * the request's, or made in *room. */
const struct km_llm_priced *km_llm_priced_at(const struct km_llm_request *r,
                                             const struct km_deployment *d,
                                             struct km_llm_priced *room);

/* Fills of u what the request may use at most beside tokens; prompt_tokens are counted already: all
 * of them may be written to a cache that keeps an hour, where one may. */
void km_llm_priced_usage(const struct km_llm_priced *p, struct km_usage *u);

/* What an upstream left unsaid of how it served the call is taken to be as it was asked. */
void km_llm_priced_served(const struct km_llm_priced *p, struct km_usage *u);

/* Is it a name of KM_HOSTED_TOOLS? */
bool km_hosted_tool_named(struct km_str name);

/* May a key use the tools that p names?  extra: the key's fields without a column, of which
 * `hosted_tools` is true (as is none), false, or a list of names.  Denied: KM_E_FORBIDDEN names the
 * tool; what cannot be read denies. */
enum km_right km_hosted_tools_grant(struct km_str extra, const struct km_llm_priced *p,
                                    struct km_err *err) KM_MUST_USE;

#endif
