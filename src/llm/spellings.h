/* SPDX-License-Identifier: Apache-2.0 */
/* spellings.h - the other names by which engines behind one API bound what they write.
 *
 * Below /v1/chat/completions stands OpenAI's own service, or llama.cpp, vLLM, Ollama, TabbyAPI:
 * each reads names the API does not have, and where two are there each engine has its own winner
 * (llama.cpp's n_predict beats max_tokens).  So all of them count, and the largest is reserved.
 *
 * They are rare: km_llm_read_members() watches for them as it walks, and only a body that has one
 * is read for them.
 */
#ifndef KM_LLM_SPELLINGS_H
#define KM_LLM_SPELLINGS_H

#include "llm/api.h"

/* Their order is that of the watch, too (api.c). */
#define KM_SPELLINGS(X)                                                                            \
    X(MAX_TOKENS, "max_tokens")                                                                    \
    X(MAX_COMPLETION_TOKENS, "max_completion_tokens")                                              \
    X(MAX_OUTPUT_TOKENS, "max_output_tokens")                                                      \
    X(MAX_NEW_TOKENS, "max_new_tokens")                                                            \
    X(MAX_LENGTH, "max_length")                                                                    \
    X(N_PREDICT, "n_predict")                                                                      \
    X(NUM_PREDICT, "num_predict")                                                                  \
    X(MIN_TOKENS, "min_tokens")                                                                    \
    X(MIN_COMPLETION_TOKENS, "min_completion_tokens")                                              \
    X(MIN_LENGTH, "min_length")                                                                    \
    X(N, "n")                                                                                      \
    X(BEST_OF, "best_of")                                                                          \
    X(OPTIONS, "options")

#define KM_SPELLING_ENUM(id, name) KM_SPELLING_##id,
enum km_spelling { KM_SPELLINGS(KM_SPELLING_ENUM) KM_SPELLING_COUNT };
#undef KM_SPELLING_ENUM

#define KM_SPELLED(id) (UINT32_C(1) << KM_SPELLING_##id)

/* Raises max_tokens and choices to the largest that is said.  own: those that the API has itself,
 * and its reader reads.  KM_E_INVALID names the member. */
int km_spellings_read(struct km_llm_request *r, struct km_arena *arena, uint32_t own,
                      struct km_err *err) KM_MUST_USE;

/* Tokens that Anthropic's models think with at least, where they do. */
#define KM_THINKING_LEAST 1024

/* What says more than `most` says that: a budget's bound is not undone by a second name, nor
 * refused for thinking's budget, which must stay below it. */
int km_spellings_bound(const struct km_llm_request *r, struct km_json_edits *e,
                       struct km_arena *arena, int64_t most, struct km_err *err) KM_MUST_USE;

/* The same in a body whose API's own names are bounded here as well, but for `set`. */
int km_spellings_bound_but(struct km_str body, struct km_str set, struct km_json_edits *e,
                           struct km_arena *arena, int64_t most, struct km_err *err) KM_MUST_USE;

/* An object's `thinking` alone: it stands at `at` in the body that is edited, whose own bound was
 * `said` (-1: none). */
void km_spellings_bound_thinking(struct km_str object, uint32_t at, int64_t said,
                                 struct km_json_edits *e, struct km_arena *arena, int64_t most);

/* Is it a name of what an answer may have at most?  For parameters of a deployment. */
bool km_spelling_bounds(struct km_str name);

#endif
