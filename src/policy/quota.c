/* SPDX-License-Identifier: Apache-2.0 */
/* quota.c - see quota.h for the contract.
 *
 * What is left now is what was said to be left, less what was sent since, and what has come back
 * meanwhile: both OpenAI's and Anthropic's limits are buckets that fill evenly, and "reset" is when
 * they are full.
 *
 *     left(now) = left + (limit - left) * (now - said) / (full - said) - (sent - after)
 *
 * An upstream that says no numbers is learnt by its refusals, as TCP learns a path: the number of
 * calls at once doubles by each round up to half of what was too much, then grows by one a round,
 * and a refusal halves it.  Additive increase with multiplicative decrease is what is known to come
 * to a fair and stable share, whoever else asks the same upstream (Chiu and Jain, 1989).  A round's
 * refusals halve it once.  It begins with one: how many were under way is not known, for nobody
 * counts before the first refusal.
 */
#include "policy/quota.h"

#define WINDOW_MOST 4096 /* more at once are not counted */
#define WINDOW_FORGOTTEN_MS 120000 /* without a refusal, where it is not what holds calls up */
#define SAID_FORGOTTEN_MS 60000 /* after all has come back, and nothing new was said */
#define TIGHT_PART 4 /* counted while less than this part of the limit is left */
#define TIGHT_LEAST 64 /* or so many requests */

static int64_t come_back(const struct km_quota *q, enum km_quota_of of, uint64_t now_ms)
{
    const int64_t gone = q->of[of].limit - q->of[of].left;
    const int64_t span = (int64_t)(q->of[of].full_ms - q->of[of].said_ms);

    if (now_ms >= q->of[of].full_ms || span <= 0)
        return gone;
    return now_ms > q->of[of].said_ms
               ? gone / span * (int64_t)(now_ms - q->of[of].said_ms) +
                     gone % span * (int64_t)(now_ms - q->of[of].said_ms) / span
               : 0;
}

static bool is_known(const struct km_quota *q, enum km_quota_of of, uint64_t now_ms)
{
    return q->of[of].known && now_ms < q->of[of].full_ms + SAID_FORGOTTEN_MS;
}

static int64_t left_now(const struct km_quota *q, enum km_quota_of of, uint64_t now_ms)
{
    return q->of[of].left + come_back(q, of, now_ms) - (q->sent[of] - q->of[of].after);
}

int64_t km_quota_left(const struct km_quota *q, enum km_quota_of of, uint64_t now_ms)
{
    int64_t left;

    if (!is_known(q, of, now_ms))
        return -1;
    left = left_now(q, of, now_ms);
    return left > 0 ? left : 0;
}

/* When so many more will have come back. */
static uint64_t back_at(const struct km_quota *q, enum km_quota_of of, int64_t missing,
                        uint64_t now_ms)
{
    const int64_t gone = q->of[of].limit - q->of[of].left;
    const int64_t span = (int64_t)(q->of[of].full_ms - q->of[of].said_ms);
    int64_t wait = 1;

    missing = missing < q->of[of].limit ? missing : q->of[of].limit; /* keeps it in 64 bits */
    if (gone > 0 && span > 0 && now_ms < q->of[of].full_ms)
        wait = missing / gone * span + (missing % gone * span + gone - 1) / gone;
    else /* all has come back, and was sent again: its answers will say */
        wait = 1000;
    wait = wait < 1 ? 1 : wait;
    return now_ms + (uint64_t)(wait < KM_QUOTA_RESET_MOST_MS ? wait : KM_QUOTA_RESET_MOST_MS);
}

/* One call may be larger than all there is: what becomes of it the upstream says. */
static int64_t need_of(const struct km_quota *q, enum km_quota_of of, int64_t tokens)
{
    const int64_t need = of == KM_QUOTA_REQUESTS ? 1 : tokens > 0 ? tokens : 0;

    return need < q->of[of].limit ? need : q->of[of].limit;
}

/* What was said may be wrong, or old by now, and only an answer can tell: after a silence one call
 * asks, however far the upstream says that its reset is. */
static uint64_t asks_at(const struct km_quota *q, enum km_quota_of of)
{
    return (q->sent_ms > q->of[of].said_ms ? q->sent_ms : q->of[of].said_ms) + KM_QUOTA_ASKS_MS;
}

bool km_quota_lets(const struct km_quota *q, int64_t running, int64_t tokens, uint64_t now_ms,
                   uint64_t *ret_opens_ms)
{
    uint64_t opens = q->closed_until > now_ms ? q->closed_until : 0, at;
    bool lets = !opens;

    for (unsigned i = 0; i < KM_QUOTAS; i++) {
        const enum km_quota_of of = (enum km_quota_of)i;
        int64_t missing;

        if (!is_known(q, of, now_ms))
            continue;
        missing = need_of(q, of, tokens) - left_now(q, of, now_ms);
        if (missing <= 0 || now_ms >= asks_at(q, of))
            continue;
        lets = false;
        at = back_at(q, of, missing, now_ms);
        at = at < asks_at(q, of) ? at : asks_at(q, of);
        opens = at > opens ? at : opens;
    }
    *ret_opens_ms = opens;
    return lets && (!q->window || running < q->window);
}

bool km_quota_is_tight(const struct km_quota *q, uint64_t now_ms)
{
    if (q->window || q->closed_until > now_ms)
        return true;
    for (unsigned i = 0; i < KM_QUOTAS; i++) {
        const enum km_quota_of of = (enum km_quota_of)i;
        int64_t left;

        if (!is_known(q, of, now_ms))
            continue;
        left = left_now(q, of, now_ms);
        if (left < q->of[of].limit / TIGHT_PART || (of == KM_QUOTA_REQUESTS && left < TIGHT_LEAST))
            return true;
    }
    return false;
}

struct km_quota_mark km_quota_send(struct km_quota *q, int64_t tokens, uint64_t now_ms)
{
    struct km_quota_mark mark = { .at_ms = now_ms, .counted = true };

    q->sent_ms = now_ms;
    q->sent[KM_QUOTA_REQUESTS]++;
    q->sent[KM_QUOTA_TOKENS] += tokens > 0 ? tokens : 0;
    for (unsigned i = 0; i < KM_QUOTAS; i++)
        mark.sent[i] = q->sent[i];
    return mark;
}

static int64_t within(int64_t v, int64_t most)
{
    return v < 0 ? -1 : v < most ? v : most;
}

static void learn_one(struct km_quota *q, enum km_quota_of of, const struct km_quota_said *said,
                      int64_t after, uint64_t now_ms)
{
    const int64_t left = within(said->left[of], KM_QUOTA_MOST);
    int64_t limit = within(said->limit[of], KM_QUOTA_MOST);
    int64_t reset_ms = within(said->reset_ms[of], KM_QUOTA_RESET_MOST_MS);

    if (left < 0 || (q->of[of].known && after < q->of[of].after))
        return;
    limit = limit < 0 && q->of[of].known ? q->of[of].limit : limit;
    reset_ms = reset_ms < 0 ? 60000 : reset_ms; /* limits are of a minute */
    q->of[of].known = true;
    q->of[of].limit = limit > left ? limit : left > 0 ? left : 1;
    q->of[of].left = left;
    q->of[of].said_ms = now_ms;
    q->of[of].full_ms = now_ms + (uint64_t)reset_ms;
    q->of[of].after = after;
}

void km_quota_learn(struct km_quota *q, const struct km_quota_said *said,
                    const struct km_quota_mark *mark, uint64_t now_ms)
{
    for (unsigned i = 0; i < KM_QUOTAS; i++)
        learn_one(q, (enum km_quota_of)i, said, mark->counted ? mark->sent[i] : q->sent[i], now_ms);
}

void km_quota_refuse(struct km_quota *q, int64_t closed_ms, const struct km_quota_mark *mark,
                     uint64_t now_ms)
{
    const int64_t most = closed_ms < KM_QUOTA_CLOSED_MOST_MS ? closed_ms : KM_QUOTA_CLOSED_MOST_MS;

    if (most > 0 && now_ms + (uint64_t)most > q->closed_until)
        q->closed_until = now_ms + (uint64_t)most;
    if (q->window && (!mark->counted || mark->at_ms < q->slowed_ms))
        return;
    q->steep = q->window ? (q->window + 1) / 2 : WINDOW_MOST;
    q->window = q->window > 1 ? q->window / 2 : 1;
    q->good = 0;
    q->slowed_ms = now_ms;
}

void km_quota_answer(struct km_quota *q, int64_t running, uint64_t now_ms)
{
    if (!q->window)
        return;
    q->good++;
    if (q->window >= q->steep && q->good < q->window)
        return;
    q->window++;
    q->good = 0;
    if (q->window > WINDOW_MOST ||
        (now_ms - q->slowed_ms >= WINDOW_FORGOTTEN_MS && running < q->window / 2))
        q->window = 0;
}
