/* SPDX-License-Identifier: Apache-2.0 */
/* resume.c - see resume.h.
 *
 *     first attempt     passed on:   events ──> km_told (text, ids, place)
 *                       translated:  events ──> km_told ──> its encoder      = the voice
 *     any further one   translated:  events ──> km_told (their place) ──> the voice ──> client
 *
 * The client has one stream, so one encoder says it: that of the first attempt, or where the first
 * was passed on, one that is put where it stopped.  A further attempt counts its own use, and only
 * hands its events on.
 */
#include "gateway/llm/resume.h"

#include "call/model.h"
#include "gateway/llm/translate.h"
#include "llm/api.h"
#include "llm/capability.h"

#define KEPT_BYTES ((size_t)64 * 1024) /* of an error event that is kept back */

/* --- passed on --- */

static bool says_failed(const struct km_call *call, const struct km_sse_event *event)
{
    return call->at->stream.error || (call->api->wire == KM_WIRE_RESPONSES &&
                                      km_str_eq(event->type, KM_STR("response.failed")));
}

/* Its request would be refused elsewhere, too. */
static bool is_callers(struct km_call *call, struct km_str data)
{
    const int status = km_llm_error_status(&call->arena, data);

    return status >= 400 && km_again_of(status) == KM_AGAIN_NO;
}

static void keep_back(struct km_call *call, const struct km_sse_event *event, size_t before,
                      struct km_buf *out)
{
    struct km_resume *r = call->resume;
    struct km_str said = km_str_skip(km_buf_view(out), before);

    if (r->told.unfit || said.n > KEPT_BYTES)
        return;
    if (is_callers(call, event->data)) {
        km_told_spoil(&r->told, "error");
        return;
    }
    r->kept_back = km_arena_str(&call->arena, said);
    if (!r->kept_back.n)
        return;
    out->n = before;
    call->at->stream.error = true;
    call->at->stream.finished = call->at->stream.ended = false;
}

void km_llm_note_told(struct km_call *call, const struct km_sse_event *event, size_t before,
                      struct km_buf *out)
{
    struct km_resume *r = call->resume;

    if (!event->has_data || r->kept_back.n)
        return;
    if (says_failed(call, event)) {
        if (call->streaming || before > 0)
            keep_back(call, event, before, out);
        return;
    }
    r->told.native = true;
    if (!r->model.n)
        r->model = call->req.model;
    call->api->note_told(&r->told, event->type, event->data, call->at->stream.scratch);
}

int km_llm_kept_back(struct km_call *call, struct km_err *err)
{
    if (!call->resume || !call->resume->kept_back.n || km_resume_goes_on(call->resume))
        return 0;
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream ended its stream with an error.");
}

/* --- going on --- */

static bool takes_prefill(const struct km_call *call)
{
    const struct km_translation *tr = call->at->convert;

    return (tr->can.can & KM_CAN_PREFILL) && (tr->codec->carries & KM_TRAIT_BIT(PREFILL));
}

int km_llm_continue(struct km_call *call, struct km_chat *chat, struct km_err *err)
{
    enum km_told_how how;
    int r = km_told_continue(&call->resume->told, chat, takes_prefill(call),
                             &call->at->convert->request, &how, err);

    if (r == 0 && call->req.max_tokens >= 0 && km_chat_has(chat, KM_P_MAX_TOKENS))
        chat->max_tokens = call->req.max_tokens;
    return r;
}

/* The encoder as it would be had it said what was passed on. */
static struct km_answer *make_voice(struct km_call *call, struct km_err *err)
{
    const struct km_encoder *to = call->api->encoder;
    const struct km_told *told = &call->resume->told;
    struct km_answer *a = km_arena_zalloc(&call->arena, sizeof *a);

    if (!a || !to->go_on) {
        km_fail(err, KM_E_UNSUPPORTED, "This stream cannot be gone on with.");
        return NULL;
    }
    *a = (struct km_answer){ .to = to,
                             .request = &call->req,
                             .arena = &call->arena,
                             .stream = true,
                             .usage_asked = call->req.usage_asked,
                             .gathers = to->gathers,
                             .model = call->resume->model,
                             .id = km_str(call->visit->id_text, KM_UUID_LEN),
                             .whole_id = told->id,
                             .created_s =
                                 told->created_s >= 0 ? told->created_s : call->start_us / 1000000,
                             .started = true };
    a->state = km_arena_zalloc(&call->arena, to->state_size ? to->state_size : 1);
    if (!a->state) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    return to->go_on(a, told, err) < 0 ? NULL : a;
}

static int say_on(void *ctx, const struct km_chat_event *delta, struct km_err *err)
{
    struct km_call *call = ctx;

    return km_answer_say(call->resume->voice, delta, err);
}

int km_llm_take_voice(struct km_call *call, struct km_buf *out, struct km_err *err)
{
    struct km_answer *own = &call->at->convert->answer;
    struct km_resume *r = call->resume;

    own->watch = &r->told;
    if (!km_resume_goes_on(r)) {
        r->voice = own;
        return 0;
    }
    if (!r->voice)
        r->voice = make_voice(call, err);
    if (!r->voice)
        return err->code;
    r->voice->out = out;
    r->voice->told = &r->used;
    own->out = out;
    own->gathers = false;
    own->hand_on = say_on;
    own->hand_ctx = call;
    return 0;
}

struct km_answer *km_llm_voice(struct km_call *call)
{
    if (call->resume && call->resume->voice)
        return call->resume->voice;
    return call->at->convert ? &call->at->convert->answer : NULL;
}

static int give_event(void *ctx, const struct km_sse_event *event)
{
    struct km_piece piece = { .what = KM_PIECE_EVENT,
                              .bytes = event->raw,
                              .type = event->type,
                              .data = event->data,
                              .has_data = event->has_data };

    km_call_event(ctx, &piece);
    return 0;
}

int km_llm_give_events(struct km_call *call, struct km_str bytes, struct km_err *err)
{
    struct km_sse *sse = km_sse_new(bytes.n + 1, give_event, call);
    int r =
        sse ? km_sse_feed(sse, bytes.p, bytes.n, err) : km_fail(err, KM_E_NOMEM, "out of memory");

    km_sse_free(sse);
    return r;
}

bool km_llm_resumed_last(struct km_call *call, struct km_buf *out)
{
    struct km_answer *voice = call->resume->voice;
    struct km_usage own = { 0 };

    if (call->at->convert)
        (void)km_translate_usage(call, &own);
    km_resume_sum(call, &own);
    if (voice) {
        voice->out = out;
        voice->cut = call->at->convert && call->at->convert->answer.cut;
    }
    if (!call->cut && voice) {
        voice->to->end(voice);
        return true;
    }
    if (voice && voice->to->fail) {
        voice->to->fail(voice, &call->err);
        return true;
    }
    km_error_event(call->api->dialect, &call->err, km_str(call->visit->id_text, KM_UUID_LEN), out);
    return km_error_event_is_heard(call->api->dialect);
}
