/* SPDX-License-Identifier: Apache-2.0 */
/* cut.h - what the APIs share to end a passed-through stream early: one file an API, *_cut.c.
 *
 * Each keeps, as events pass, the little that its last events must repeat, at s->tail in s->arena.
 * Out of memory it keeps nothing, and says so when it is asked to cut.
 */
#ifndef KM_LLM_API_CUT_H
#define KM_LLM_API_CUT_H

#include "http/json_out.h"
#include "llm/api.h"

/* An event with this data, framed as SSE; type empty: it has no name. */
int km_cut_say(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_str type,
               struct km_str data, struct km_err *err) KM_MUST_USE;

/* Several answers in one stream: which have begun, and which of them are over. */
enum km_cut_choice { KM_CUT_UNSEEN, KM_CUT_OPEN, KM_CUT_OVER };
struct km_cut_choices {
    uint8_t *v; /* enum km_cut_choice of each */
    size_t n;
};

#define KM_CUT_CHOICES_MOST 65536

/* false: no memory.  n: how many may come; what is beyond KM_CUT_CHOICES_MOST is not looked at. */
bool km_cut_choices_init(struct km_cut_choices *c, struct km_arena *arena, int64_t n);
/* Reads an array of answers, each with its "index" (or in their order); it is over where `finish`
 * is a text. */
void km_cut_choices_note(struct km_cut_choices *c, const struct km_arena *like, struct km_str array,
                         const char *finish);
/* Has any of them begun? */
bool km_cut_choices_seen(const struct km_cut_choices *c);

/* The first of the texts that has any. */
static inline struct km_str km_cut_or(struct km_str a, struct km_str b)
{
    return a.n ? a : b;
}

/* JSON of a string: the prefix, and the gateway's own id of the call. */
struct km_str km_cut_id(const struct km_llm_stream *s, const struct km_llm_cut *c,
                        const char *prefix);
/* JSON of the model's name: as it was asked for, else as its upstream calls it. */
struct km_str km_cut_model(const struct km_llm_stream *s, struct km_str upstream);

#endif
