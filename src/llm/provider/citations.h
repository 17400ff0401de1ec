/* SPDX-License-Identifier: Apache-2.0 */
/* citations.h - what upstreams say their answers rest on, read (llm/citation.h). */
#ifndef KM_LLM_PROVIDER_CITATIONS_H
#define KM_LLM_PROVIDER_CITATIONS_H

#include "llm/codec.h"

/* One of Messages', one of Converse's: strings are views.  false: of no kind we know, and what is
 * in it is left to be told. */
bool km_messages_citation(const struct km_json *v, struct km_citation *ret);
bool km_converse_citation(const struct km_json *v, struct km_arena *arena, struct km_citation *ret);

/* Those of a block that is complete, in its place. */
int km_cite_block(struct km_decode *d, unsigned block, struct km_citation *list,
                  struct km_err *err) KM_MUST_USE;

/* OpenAI's `annotations`. */
int km_openai_cite(struct km_decode *d, unsigned choice, unsigned block,
                   const struct km_json *annotations, struct km_err *err) KM_MUST_USE;

/* What Perplexity and xAI found, beside the choices: `search_results`, else `citations`, which are
 * addresses only.  The text names them by their numbers, so no place is known. */
int km_openai_cite_found(struct km_decode *d, unsigned choice, unsigned block,
                         const struct km_json *root, struct km_err *err) KM_MUST_USE;

/* Gemini's of a candidate; *seen: those that an earlier chunk said too, made here. */
struct km_gemini_cited;
int km_gemini_cite(struct km_decode *d, unsigned choice, unsigned block,
                   const struct km_json *candidate, struct km_gemini_cited **seen,
                   struct km_err *err) KM_MUST_USE;

#endif
