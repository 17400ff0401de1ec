/* SPDX-License-Identifier: Apache-2.0 */
/* bounds.h - how many answers, of how many tokens, a body asks for whose API has no reader in api/.
 *
 * Bodies of Converse, InvokeModel, rawPredict and predict are passed on as they are, and what they
 * bound is what is reserved.  A table per API says where such a member may stand and how it is
 * spelled; what is there and cannot be read, or could be read as another one, is refused.  By the
 * same table it is lowered, where a budget has less left.
 */
#ifndef KM_LLM_BOUNDS_H
#define KM_LLM_BOUNDS_H

#include "llm/api.h"

/* One object in which an API has bounds: a row. */
struct km_bounds_in {
    const char *in; /* the object's name at the top of the body; NULL: the body itself */
    const char *tokens[10]; /* members that bound one answer; the largest counts */
    const char *answers[4]; /* members that say how many answers there are; likewise */
    bool one; /* the names of `tokens` mean one member: two of them are refused */
    bool model; /* the object is the model's own body: it is read by every other row as well */
};

struct km_bounds {
    const struct km_bounds_in *rows;
    size_t n;
};

extern const struct km_bounds km_bounds_converse, km_bounds_model;

/* Fills max_tokens and choices of a body that km_llm_read_members() has read.  KM_E_INVALID names
 * the member. */
int km_bounds_read(const struct km_bounds *b, struct km_llm_request *r, const struct km_json *root,
                   struct km_err *err) KM_MUST_USE;

/* Can such a body be bounded: does it say a bound (r->max_tokens), or is it known which member the
 * model has for one?  model: its name at the vendor. */
bool km_bounds_can_lower(const struct km_bounds *b, const struct km_llm_request *r,
                         struct km_str model);
/* Whatever says more than `most` says that, and a budget of thinking stays below it; what the model
 * reads is added where it is not there. */
int km_bounds_lower(const struct km_bounds *b, const struct km_llm_request *r, struct km_str model,
                    int64_t most, struct km_json_edits *e, struct km_arena *arena,
                    struct km_err *err) KM_MUST_USE;

/* The API of a body that is none of ours and can be bounded. */
extern const struct km_llm_api km_api_bounded_body;

#endif
