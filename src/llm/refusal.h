/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.h - what a refusal means, whoever refuses.
 *
 * A refusal is a kind, its numbers and a text.  The kind is read from what an upstream said, in
 * whatever words; which words, status and retry advice the caller gets for it is its dialect's to
 * say (dialect.h).  It travels in struct km_err: `kind` and `tokens`.
 */
#ifndef KM_LLM_REFUSAL_H
#define KM_LLM_REFUSAL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* Kinds that a client library or program acts on by itself. */
enum km_refusal_kind {
    KM_REFUSED_PLAIN, /* none of those below: the status says it all */
    KM_REFUSED_CONTEXT, /* the prompt, or it and the answer's bound, are too long for the model */
    KM_REFUSED_FILTER, /* a filter stopped it */
    KM_REFUSED_QUOTA, /* the upstream's account has no money or quota left */
    KM_REFUSED_RATE, /* too much at once */
    KM_REFUSED_OVERLOADED, /* the upstream has too much to do */
    KM_REFUSED_CREDENTIALS, /* the gateway's own, at the upstream */
    KM_REFUSED_MODEL, /* there is no such model */
    KM_REFUSED_KINDS,
};

/* Does it say that the prompt is too long for the model?  text: an upstream's message, or its whole
 * body.  *ret: the numbers it names. */
bool km_refusal_is_context(struct km_str text, struct km_err_tokens *ret);

/* The status of an error that came inside of an answer, by a vendor's word for it: what it would
 * have been before the answer began.  0: the word says nothing, or something of the gateway's own
 * credentials. */
int km_refusal_status(struct km_str word);

/* May an answer with that status mean it?  Limits of a minute, for one, are told in words much
 * alike. */
static inline bool km_refusal_may_be_context(int status)
{
    return status == 400 || status == 413 || status == 422 || status == 500;
}

/* Of an error that an upstream told inside of an answer: its kind and numbers. */
void km_refusal_judge(struct km_err *err, struct km_str text);

#endif
