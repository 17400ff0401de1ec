/* SPDX-License-Identifier: Apache-2.0 */
/* resume.h - a stream that broke goes on at another deployment, where that is asked for.
 *
 *     A ──> "The sky is"  ✗
 *     B ────────────────────> " blue."        the client: one stream, "The sky is blue."
 *
 * `kanmon_settings.resume` asks for it, a deployment's `resume`, or a request (`resumeStream`).  A
 * call that does not has no km_resume, and pays a comparison.
 *
 * What its kind does: it makes one (km_resume_new), notes in it what the client is told, and asks
 * it in each attempt whether a stream goes on (km_resume_goes_on).  What recover.c does: it asks
 * whether one may, and makes the attempt.  Each attempt is billed by itself, as ever.
 */
#ifndef KM_CALL_RESUME_H
#define KM_CALL_RESUME_H

#include "llm/told.h"
#include "policy/price.h"

struct km_answer; /* llm/answer.h */
struct km_call;
struct km_line;

#define KM_RESUMES_MOST 3 /* further attempts of one stream, once it has begun */

struct km_resume {
    struct km_told told;
    struct km_answer *voice; /* what says it to the client, since the first time it went on */
    struct km_usage used; /* with it: what the client is told */
    struct km_str model; /* as the client was told, of a stream that was passed on */
    int64_t said_tokens; /* the caller's bound of all of the answer; -1: none */
    struct km_str
        kept_back; /* an error event that its upstream said, and the client was not told */
    struct km_err broke; /* why the last upstream that said something did not say more */
    const char *why_not; /* it did not go on, static; NULL: it did, or never broke */
};

/* Does it ask for it, and may a stream of its API?  For kinds, before each attempt that begins an
 * answer: deployments may say it differently. */
bool km_resume_is_asked(const struct km_call *call);
/* Makes call->resume.  false: no memory, and it ends where it breaks. */
bool km_resume_new(struct km_call *call);

/* Is this attempt to go on with what another began? */
static inline bool km_resume_goes_on(const struct km_resume *r)
{
    return r && r->told.resumed > 0;
}

/* --- recover.c's --- */
/* The stream broke: may another upstream go on with it?  Where not, why is noted. */
bool km_resume_may(struct km_call *call);
/* It will: the attempt is billed, and the call is priced as what is asked for from now on. */
int km_resume_prepare(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* Nobody went on with it: what its client is told is why it broke. */
void km_resume_ends(struct km_call *call, const char *why);
/* What the attempts before this one are billed for, and what this one used. */
void km_resume_sum(struct km_call *call, const struct km_usage *own);
/* Of its log line. */
void km_resume_log(const struct km_call *call, struct km_line *line);

#endif
