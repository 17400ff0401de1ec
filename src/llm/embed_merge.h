/* SPDX-License-Identifier: Apache-2.0 */
/* embed_merge.h - several requests for embeddings as one, and its answer in parts again.
 *
 *     {"input":"a",...}  {"input":["b","c"],...}  ──>  {"input":["a","b","c"],...}
 *     {"data":[0,1,2],"usage":7}  ──>  {"data":[0],"usage":2}  {"data":[0,1],"usage":5}
 *
 * Of OpenAI's protocol, of requests that are the same but for their inputs, which are texts.
 */
#ifndef KM_LLM_EMBED_MERGE_H
#define KM_LLM_EMBED_MERGE_H

#include "http/json_span.h"

struct km_buf;

#define KM_EMBED_MERGED_MOST 5 /* requests in one */
#define KM_EMBED_INPUTS_MOST 2048 /* of all of them: as OpenAI takes them */

struct km_embed_inputs {
    struct km_str items; /* of a JSON array, without its brackets: of the body */
    size_t n; /* how many */
    struct km_str before,
        behind; /* what stands in the body around its `input`: all the rest of it */
};

/* false: it has no input, or one that is no text. */
bool km_embed_inputs(struct km_str body, struct km_embed_inputs *ret);
/* The body of the first with the inputs of all; in the arena, empty where it has no room. */
struct km_str km_embed_merge(const struct km_embed_inputs *v, size_t n, struct km_arena *arena);

/* What one of them had of the whole. */
struct km_embed_share {
    size_t from, n; /* inputs */
    int64_t weight; /* > 0; of what was used */
};

/* The answer of v[which]: its data, numbered from 0, and its share of what was used.
 * KM_E_UPSTREAM_PROTOCOL: it has not what was asked for. */
int km_embed_part(struct km_str whole, const struct km_embed_share *v, size_t n, size_t which,
                  struct km_buf *out, struct km_err *err) KM_MUST_USE;
/* sum in n <= KM_EMBED_MERGED_MOST integers that add up to it, by weight: each is rounded down, and
 * what is left goes to those that lost most by it. */
void km_embed_divide(int64_t sum, const struct km_embed_share *v, size_t n, int64_t *ret);

#endif
