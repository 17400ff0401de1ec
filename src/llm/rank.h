/* SPDX-License-Identifier: Apache-2.0 */
/* rank.h - the canonical ranking of documents, for upstreams that do not have Cohere's.
 *
 *     {"query","documents","top_n","return_documents"}
 *         -> {"results":[{"index","relevance_score","document":{"text"}}],"meta"}
 *
 * Callers speak Cohere's /v1/rerank and /v2/rerank, as LiteLLM does.  An upstream that takes those
 * bodies gets them as they are (KM_WIRE_RERANK in codec.h); for the others a codec has
 * rank_encode() and rank_decode().  The documents are the caller's own and need not come back:
 * what was asked for with return_documents is put beside the results here.
 */
#ifndef KM_LLM_RANK_H
#define KM_LLM_RANK_H

#include "http/json.h"
#include "llm/chat.h"
#include "policy/price.h"

struct km_deployment;

struct km_rank_result {
    size_t index; /* of a document */
    struct km_str score_json; /* a number as the upstream wrote it */
};

struct km_rank {
    /* What is asked. */
    struct km_str query;
    const struct km_str *documents; /* decoded texts */
    size_t n; /* at least 1 */
    int64_t top_n; /* 0: all */
    bool return_documents;
    struct km_chat_extra *extras; /* members of one provider's own: "truncation" */
    /* What came. */
    struct km_rank_result *results;
    size_t nresults;
    struct km_usage usage;
};

#define KM_RANK_DOCUMENTS_MOST 10000

/* root: the body's tree, in the same arena.  d's default parameters are added where the caller
 * said nothing.  KM_E_INVALID names the place. */
int km_rank_read(const struct km_deployment *d, const struct km_json *root, struct km_arena *arena,
                 struct km_rank *ret, struct km_err *err) KM_MUST_USE;
/* An answer whose list of {"index","relevance_score"} stands in the member `list`; the tokens of
 * its usage.  KM_E_UPSTREAM_PROTOCOL when it is none, or names a document that was not sent. */
int km_rank_results(struct km_rank *rank, struct km_arena *arena, struct km_str body,
                    const char *list, struct km_err *err) KM_MUST_USE;
/* The caller's answer.  id: of the call. */
void km_rank_write(const struct km_rank *rank, struct km_str model, struct km_str id,
                   struct km_buf *out);

#endif
