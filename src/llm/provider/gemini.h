/* SPDX-License-Identifier: Apache-2.0 */
/* gemini.h - between the files of Gemini's codec: the request, the answer, the row. */
#ifndef KM_LLM_PROVIDER_GEMINI_H
#define KM_LLM_PROVIDER_GEMINI_H

#include "llm/codec.h"

/* What Gemini 3 takes for a call that another model made: it asks for a signature on calls. */
#define KM_GEMINI_NO_SIGNATURE "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
/* Between an id and a signature, where a client has no other place to keep it (LiteLLM's). */
#define KM_GEMINI_IN_ID "__thought__"

/* Most candidates in one answer; Google's own bound is 8. */
#define KM_GEMINI_CANDIDATES 8

struct km_gemini_candidate {
    unsigned block; /* the number of the block under way */
    enum km_chat_event_kind open; /* its kind; KM_CHAT_START: none */
    bool seen, output, tools;
    enum km_finish finish;
    struct km_str finish_text;
};

struct km_gemini_state {
    struct km_gemini_candidate candidates[KM_GEMINI_CANDIDATES];
    struct km_gemini_cited *cited; /* citations so far */
    unsigned calls; /* whose ids were made here */
    bool usable; /* the usage that was said last can be */
};

int km_gemini_encode(const struct km_encode_args *args, const struct km_chat *chat,
                     struct km_json_out *out, struct km_err *err);
int km_gemini_decode(struct km_decode *d, struct km_str body, struct km_err *err);
int km_gemini_event(struct km_decode *d, const struct km_frame_event *e, struct km_err *err);
int km_gemini_end(struct km_decode *d, struct km_err *err);
void km_gemini_refusal(struct km_arena *arena, int status, const struct km_headers *headers,
                       struct km_str body, struct km_refusal *ret);

/* gemini_embed.c */
int km_gemini_embed_encode(const struct km_encode_args *args, const struct km_embed *e,
                           struct km_json_out *out, struct km_err *err);
int km_gemini_embed_decode(struct km_embed *e, struct km_arena *arena, struct km_str body,
                           struct km_err *err);
int km_vertex_embed_encode(const struct km_encode_args *args, const struct km_embed *e,
                           struct km_json_out *out, struct km_err *err);
int km_vertex_embed_decode(struct km_embed *e, struct km_arena *arena, struct km_str body,
                           struct km_err *err);

/* Queries to the web that the candidates say they are grounded on. */
int64_t km_gemini_searches(const struct km_json *candidates);
/* usageMetadata; false: it is none.  ret holds what was said before: uses of tools stay. */
bool km_gemini_usage(const struct km_json *v, struct km_usage *ret);

/* Places of its answers that say nothing (llm/dropped.h). */
extern const struct km_str km_gemini_idle[];

#endif
