/* SPDX-License-Identifier: Apache-2.0 */
/* usage.h - counts as an upstream reports them, read so that nonsense never becomes a bill.
 *
 * A count is a whole number between 0 and KM_TOKENS_SAID_MOST.  Anything else that stands where a
 * count is due (null, a negative number, a fraction, a text, a number out of range) makes the
 * whole report unusable: its reader leaves km_usage.known false, and the call is settled by an
 * estimate that is marked as one.
 */
#ifndef KM_LLM_USAGE_H
#define KM_LLM_USAGE_H

#include "http/json.h"
#include "policy/price.h"

/* Of one answer: ten times the largest window there is.  Sums of counts stay far from overflow. */
#define KM_TOKENS_SAID_MOST INT64_C(100000000)

/* Of one recording: ten days. */
#define KM_MS_SAID_MOST (INT64_C(10) * 24 * 3600 * 1000)

/* A count that is due: *bad is set where it is absent (NULL) or null, too. */
int64_t km_usage_value(const struct km_json *v, bool *bad);

/* A count that may be left out, but not said wrongly: *value stays, or *bad is set.  null is as
 * good as left out: servers write it where they have no number of that kind. */
void km_usage_take(const struct km_json *v, int64_t *value, bool *bad);

/* --- by name; here, so that a literal's length costs nothing --- */

/* One without which the report says nothing. */
static inline int64_t km_usage_due(const struct km_json *object, const char *name, bool *bad)
{
    return km_usage_value(km_json_get(object, name), bad);
}

/* A report that comes in pieces: *value stays where this one leaves the count out. */
static inline void km_usage_replace(const struct km_json *object, const char *name, int64_t *value,
                                    bool *bad)
{
    km_usage_take(km_json_get(object, name), value, bad);
}

/* One that is 0 where it is left out. */
static inline int64_t km_usage_count(const struct km_json *object, const char *name, bool *bad)
{
    int64_t n = 0;

    km_usage_replace(object, name, &n, bad);
    return n;
}

/* Seconds, in milliseconds, a part of one counting as one; may be left out. */
int64_t km_usage_ms(const struct km_json *object, const char *name, bool *bad);

/* A report of which a count was none: nothing in it is believed. */
static inline void km_usage_judge(struct km_usage *u, bool bad)
{
    if (bad)
        *u = (struct km_usage){ 0 };
    u->known = !bad;
}

/* What a `usage` may say beside its tokens, under the names of all who say it: uses of tools, what
 * is kept for an hour, how the call was served.  What it leaves out stays. */
void km_usage_extras(const struct km_json *usage, struct km_usage *u, bool *bad);

/* How a call was served, by the provider's word for it: a service tier, or Vertex AI's traffic
 * type.  A word that nobody knows says nothing. */
void km_usage_served(struct km_usage *u, struct km_str word);
/* The same of a member of that name, or of its `type`. */
void km_usage_served_by(struct km_usage *u, const struct km_json *object, const char *name);

/* What was heard of an answer, whoever counted it or not. */
struct km_heard {
    int64_t text; /* tokens, by its bytes */
    int64_t pieces; /* events that had output; a token each at least */
    int64_t prompt; /* an estimate, where nothing is said of it */
};

/* Does it stand as it is, whatever was heard?  Most do, and nobody has to measure then. */
static inline bool km_usage_is_final(const struct km_usage *said, bool ended)
{
    return said->known && ended && said->completion_tokens > 0;
}

/* The one rule of what is final.  said: the last that the upstream said, known: it can be; ended:
 * its codec came to the end of what the upstream says of it.  Then it stands as it is, unless
 * nothing came out where text was heard.  Else it is an estimate: never less than what was said so
 * far, nor than what was heard. */
struct km_usage km_usage_settle(const struct km_usage *said, bool ended,
                                const struct km_heard *heard);

/* A count that is due, as the value of a header. */
int64_t km_usage_text(struct km_str text, bool *bad);

struct km_json_out;
/* How long what was written to a cache is kept, in Anthropic's words: an object. */
void km_usage_write_split(struct km_json_out *o, const struct km_usage *u);

#endif
