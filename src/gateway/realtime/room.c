/* SPDX-License-Identifier: Apache-2.0 */
/* room.c - what a session must have reserved for what may come next.
 *
 *     (conversation as last counted + what was added since) x dearest input
 *     + output of each answer x dearest output                  x answers at once
 *     + audio not transcribed yet x the transcriber's dearest
 *
 * An answer is a stream, and has what any stream has (call/money.c): a slice to begin with, and one
 * more each time half of it is written, up to its bound.  That is the one of the client's
 * `response.create`, else the session's, else the longest answer that its model is known to write,
 * else unknown_max_output_tokens.  Of a key without a budget all of it counts from the start, for
 * nothing is asked for later.
 *
 *     answers   |== slice ==|== slice ==|          the first has what was added: what is written is
 *               |== to its bound |                 counted for all of them together
 *
 * A session that only stands open needs nothing.  From the first audio on there is always one
 * answer, for a voice may begin it at any time.
 */
#include "gateway/realtime/realtime.h"

#include "policy/pace.h"

#define CONTEXT_MOST 128000 /* of a conversation, where the model's row says nothing */
#define AUDIO_BASE64_A_TOKEN 3200 /* spoken: 50 ms of PCM16 at 24 kHz */
#define HEARD_MOST 864000 /* tokens of audio: a day of it */

static int64_t at_most(int64_t v, int64_t most)
{
    return v < most ? v : most;
}

/* --- what an answer may be --- */

int64_t km_rt_bound(const struct km_rt_session *s, int64_t said)
{
    const struct km_deployment *d = s->call->at->d;
    int64_t most = said == KM_RT_OUTPUT_NONE ? s->max_output : said;

    if (most >= 0 && most < KM_RT_OUTPUT_INF)
        return most;
    most = km_deployment_max_output(d, &d->price);
    return most >= 0 ? most : s->call->visit->view->snap->keys->unknown_max_output;
}

/* *more: what was added to slices, of which this one takes what fits its bound. */
static int64_t output_of(const struct km_rt_session *s, int64_t bound, int64_t *more)
{
    int64_t slice = at_most(bound, KM_CALL_SLICE), added = at_most(bound - slice, *more);

    if (!s->slices)
        return bound;
    *more -= added;
    return slice + added;
}

static int64_t cost_of(const struct km_rt_session *s, int64_t output, int64_t more_input)
{
    const struct km_price *p = &s->worst;
    struct km_usage u = {
        .prompt_tokens = at_most(s->context + s->added + more_input,
                                 p->max_input_tokens > 0 ? p->max_input_tokens : CONTEXT_MOST),
        .completion_tokens = output,
    };
    int64_t cost = 0;

    return km_price_cost(p, &u, &cost) ? cost : 0;
}

/* --- transcripts --- */

bool km_rt_price(const struct km_rt_session *s, struct km_str model, struct km_price *ret)
{
    const struct km_snapshot *snap = s->call->visit->view->snap;

    *ret = (struct km_price)KM_PRICE_NONE;
    return model.n && km_prices_find(snap->prices, s->call->at->d->provider_name, model, ret);
}

/* A transcript has fewer tokens than its audio; one of these is 100 ms at most. */
static int64_t transcript_cost(const struct km_rt_session *s)
{
    struct km_usage u = { .prompt_tokens = s->heard,
                          .completion_tokens = s->heard,
                          .audio_ms = s->heard * 100 };
    struct km_price price, worst;
    int64_t cost = 0;

    if (!s->heard || !km_rt_price(s, km_str_c(s->transcriber), &price))
        return 0;
    worst = km_rt_worst(&price);
    worst.second = price.second;
    return km_price_cost(&worst, &u, &cost) ? cost : 0;
}

/* --- all of it --- */

struct room {
    int64_t cost, output, bound; /* sums of all answers */
};

static void add_answer(const struct km_rt_session *s, int64_t bound, int64_t more_input,
                       int64_t *more, struct room *r)
{
    int64_t output = output_of(s, bound, more);

    r->output += output;
    r->bound += bound;
    r->cost += cost_of(s, output, more_input);
}

/* Answers under way and asked for; the one that is just judged has no place among them yet. */
static struct room room_of(const struct km_rt_session *s, int64_t more_input, int64_t more)
{
    int64_t n = 0, all = s->active + s->asked;
    struct room r = { 0 };

    for (size_t i = 0; i < KM_RT_RESPONSES; i++) {
        if (!s->responses[i].used)
            continue;
        add_answer(s, s->responses[i].bound, more_input, &more, &r);
        n++;
    }
    if (!all && !n && s->voice)
        all = 1;
    for (; n < all; n++)
        add_answer(s, km_rt_bound(s, s->judged.max_output), more_input, &more, &r);
    return r;
}

int64_t km_rt_need(const struct km_rt_session *s, int64_t more)
{
    return room_of(s, more, s->written_for).cost + transcript_cost(s);
}

int64_t km_rt_need_written(const struct km_rt_session *s, int64_t more)
{
    return room_of(s, 0, s->written_for + more).cost + transcript_cost(s);
}

void km_rt_reserved(struct km_rt_session *s)
{
    int64_t more = s->written_for;

    for (size_t i = 0; i < KM_RT_RESPONSES; i++) {
        struct km_rt_response *r = &s->responses[i];
        int64_t cost;

        if (!r->used)
            continue;
        cost = cost_of(s, output_of(s, r->bound, &more), 0);
        r->reserved = cost > r->reserved ? cost : r->reserved;
    }
}

/* Tokens; 0: no slice is due yet. */
int64_t km_rt_slice_due(const struct km_rt_session *s)
{
    int64_t more = KM_CALL_SLICE, written;
    struct room r;

    if (!s->slices || !s->active)
        return 0;
    r = room_of(s, 0, s->written_for);
    written = km_rt_heard(s).completion_tokens;
    if (r.output >= r.bound || written < r.output - (s->last_slice ? 0 : KM_CALL_SLICE / 2))
        return 0;
    if (written > r.output)
        more += written - r.output;
    return at_most(more, r.bound - r.output);
}

bool km_rt_past_reserved(const struct km_rt_session *s)
{
    return km_rt_heard(s).completion_tokens >= room_of(s, 0, s->written_for).output;
}

/* --- what is said and heard --- */

void km_rt_add(struct km_rt_session *s, const struct km_rt_event *e, struct km_str text)
{
    int64_t most = km_rt_tokens_upper(e, text);

    s->added = s->added > INT64_MAX / 2 ? s->added : s->added + most;
    if (e->kind != KM_RT_AUDIO_APPEND)
        return;
    s->heard = at_most(s->heard + most, HEARD_MOST);
    s->heard_new = at_most(s->heard_new + most, HEARD_MOST);
    s->voice = !s->query.n; /* a session for transcripts has no answers */
}

/* What is known of one that is under way; what was heard is no reason to forget it. */
struct km_usage km_rt_heard(const struct km_rt_session *s)
{
    struct km_usage u = { .prompt_tokens = s->context + (s->added + 3) / 4 };

    u.audio_completion_tokens = (int64_t)(s->audio_bytes / AUDIO_BASE64_A_TOKEN);
    u.completion_tokens =
        km_pace_heard(s->call->at->d->pace, &s->written) + u.audio_completion_tokens;
    return u;
}

void km_rt_hear(struct km_rt_session *s, const struct km_rt_event *e)
{
    if (e->speaks)
        s->audio_bytes += e->delta.n;
    else
        km_text_hear(&s->written, e->delta);
}

void km_rt_all_ended(struct km_rt_session *s)
{
    s->written = (struct km_text_heard){ 0 };
    s->audio_bytes = 0;
    s->written_for = 0;
    s->last_slice = false;
}
