/* SPDX-License-Identifier: Apache-2.0 */
/* citations.h - what an answer rests on, in the callers' dialects (llm/citation.h).
 *
 * Each of them notes what it has no place for (a->dropped).
 */
#ifndef KM_LLM_API_CITATIONS_H
#define KM_LLM_API_CITATIONS_H

#include "http/json_out.h"
#include "llm/answer.h"

/* Chat: one as an annotation.  false: it has no place there, and nothing was written. */
bool km_cite_chat(struct km_answer *a, struct km_json_out *o, const struct km_citation *c);
/* `annotations` of a message, where there are any. */
void km_cite_chat_parts(struct km_answer *a, struct km_json_out *o, const struct km_part *parts);

/* Responses: the same; parts: of the answer, of which part is the one it stands in. */
void km_cite_responses(struct km_answer *a, struct km_json_out *o, const struct km_part *parts,
                       const struct km_part *part, const struct km_citation *c);

/* Messages: one of `citations`, or a citations_delta's. */
void km_cite_messages(struct km_answer *a, struct km_json_out *o, const struct km_citation *c);

/* Gemini: `groundingMetadata` of a candidate, where there is any.  One that stands in a part, and
 * which of the candidate's that is; text: the part's, empty where it is not known. */
struct km_cited {
    const struct km_citation *c;
    struct km_str text;
    int64_t base; /* characters of the answer's text before it */
    unsigned part;
};
void km_cite_gemini(struct km_answer *a, struct km_json_out *o, const struct km_cited *v, size_t n);

/* Characters of the text before the part. */
int64_t km_cite_base(const struct km_part *parts, const struct km_part *part);
/* It has no place at all in this dialect, or not where the answer is now. */
void km_cite_lost(struct km_answer *a);

#endif
