/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the LLM kind of call: OpenAI's endpoints to OpenAI-compatible upstreams.
 *
 * A whole answer is read to its end (its usage decides the cost), edited by span and sent. A
 * stream is relayed as it comes: the events of one read become one write, nothing waits for the
 * next, and a client that reads slowly pauses its upstream.
 */
#include "gateway/llm/kind.h"
#include "call/dry.h"
#include "call/model.h"

#include "base/veil.h"
#include "gateway/llm/resume.h"
#include "gateway/llm/translate.h"
#include "call/veil.h"
#include "llm/api/responses.h"
#include "llm/mock.h"

#define SCRATCH_BYTES (64 * 1024 * 1024)
#define BARE_MOST 11  /* "data: ", and two line ends */
#define NAMED_MOST 19 /* the same with "event: " and a third */
/* What every OpenAI-compatible upstream speaks. */
#define OPENAI_WIRES ((unsigned)(KM_WIRE_CHAT | KM_WIRE_COMPLETION | KM_WIRE_EMBEDDING))

static int rewrite(struct km_call *call, struct km_dropped **ret_left, struct km_err *err)
{
    struct km_dropped *left = *ret_left = km_arena_zalloc(&call->arena, sizeof *left);

    if (!left)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    left->arena = &call->arena;
    return call->api->rewrite(call->body, &call->arena, left, &call->body, err);
}

static int prepare(struct km_call *call, struct km_err *err)
{
    struct km_dropped *left = NULL;
    struct km_str from_path;
    int r = km_call_check_type(call, err);

    if (r == 0 && call->api->rewrite)
        r = rewrite(call, &left, err);
    if (r == 0)
        r = km_call_path_model(call, &from_path, err);
    if (r == 0)
        r = km_llm_request_parse(&call->req, call->api, &call->arena, call->body, from_path, err);
    if (r < 0)
        return r;
    call->req.left = left;
    km_call_read_head(call);
    return km_call_find_model(call, err);
}

/* A stream that lies ready has its end too. */
static int mock_parts(struct km_call *call, struct km_err *err)
{
    const char *last = call->req.stream ? call->api->last : NULL;

    call->nparts = last ? 2 : 1;
    call->parts = km_arena_alloc(&call->arena, call->nparts * sizeof *call->parts);
    if (!call->parts)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->parts[0] = km_buf_view(&call->at->answer);
    if (last)
        call->parts[1] = km_str_c(last);
    return 0;
}

static int answer_mock(struct km_call *call, struct km_err *err)
{
    struct km_mock_args args = { call->at->d->mock_response, call->visit->id_text,
                                 call->start_us / 1000000 };
    int r = km_mock_check(call->at->d->mock_response, err);

    if (r < 0) {
        call->at->status = err->http;
        call->at->again = km_again_of(err->http);
        return r;
    }
    if (call->api->wire != KM_WIRE_CHAT && call->api->wire != KM_WIRE_COMPLETION) {
        r = km_translate_mock(call, err);
        call->at->stream.usage = km_mock_usage();
        call->answered = r == 0;
        return r;
    }
    if (call->req.stream)
        km_mock_stream(&call->req, &args, &call->at->answer);
    else
        km_mock_answer(&call->req, &args, &call->at->answer);
    if (km_buf_failed(&call->at->answer))
        return km_fail(err, KM_E_INVALID,
                       "The mock's answer is over kanmon_settings.response_bytes.");
    call->at->stream.usage = km_mock_usage();
    call->answered = true;
    call->at->stream.done = true;
    return mock_parts(call, err);
}

/* The upstream counts no tokens, or not as the caller asks: an estimate. */
static int answer_count(struct km_call *call, struct km_err *err)
{
    call->api->count(&call->req, km_llm_prompt_estimate(&call->req), &call->at->answer);
    if (km_buf_failed(&call->at->answer))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->answered = true;
    km_call_one_part(call, km_buf_view(&call->at->answer));
    return 0;
}

/* At another place than Anthropic's own, does it speak Messages as this caller does?  Its bodies
 * are for Claude alone. */
static bool speaks_messages(struct km_call *call)
{
    struct km_capability can;
    struct km_str ignored;

    km_deployment_can(call->at->d,
                      km_llm_upstream_model(call->at->d, call->match.star, &call->arena), &can);
    return can.family == KM_FAMILY_CLAUDE && km_call_betas(call, &ignored);
}

/* Does the upstream speak what the caller speaks? */
static bool is_native(struct km_call *call)
{
    const struct km_codec *codec = call->at->d->codec;

    if (codec && codec->messages_version && call->api->wire == KM_WIRE_MESSAGES &&
        !speaks_messages(call))
        return false;
    if (call->at->d->chat_only && call->api->wire == KM_WIRE_RESPONSES)
        return false;
    return ((codec ? codec->native : OPENAI_WIRES) & call->api->wire) != 0;
}

static int attempt(struct km_call *call, struct km_err *err)
{
    if (km_resume_goes_on(call->resume))
        return call->at->d->mock_response.n
                   ? km_fail(err, KM_E_UNSUPPORTED, "A mock goes on with no stream.")
                   : km_translate_attempt(call, err);
    call->resume = NULL; /* of an attempt whose answer never began nothing holds */
    if (km_resume_is_asked(call))
        (void)km_resume_new(call);
    if (call->at->d->mock_response.n && !call->api->count)
        return answer_mock(call, err);
    if (is_native(call))
        return km_call_pass_on(call, err);
    if (call->api->count)
        return answer_count(call, err);
    return km_translate_attempt(call, err);
}

/* Data that was content, and nothing beside it but its name. */
static bool is_bare(const struct km_call *call, const struct km_sse_event *event)
{
    size_t beside = event->raw.n - event->data.n;

    return beside <= BARE_MOST ||
           (beside <= event->type.n + NAMED_MOST &&
            !(call->w->gw->veil && km_veil_may_hold(call->w->gw->veil, event->type)));
}

/* What stands in `out` from `before` on is no piece of an answer. */
static void veil_event(struct km_call *call, size_t before, struct km_buf *out)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF(SCRATCH_BYTES);
    struct km_str said = km_str_skip(km_buf_view(out), before);

    if (call->at->stream.error ? !km_veil_cut(call->w->gw->veil, said, &cut)
                               : !km_veil_event(call->w->gw->veil, said, &cut))
        return;
    out->n = before;
    km_buf_str(out, km_buf_view(&cut));
    if (km_buf_failed(&cut))
        km_buf_fail(out);
}

/* What went well goes on as it came; the rest passes the veil. */
static int pass_event(struct km_call *call, const struct km_sse_event *event, struct km_buf *out,
                      struct km_err *err)
{
    struct km_llm_stream *s = &call->at->stream;
    size_t before = out->n;
    uint64_t written = s->heard.bytes, events = s->events;
    int r = s->cut ? 0 : call->api->event(s, event, out, err);

    if (s->error && !s->no && !s->heard.bytes && !s->events) {
        s->no = km_llm_error_status(&call->arena, event->data);
        if (!s->no && !call->streaming)
            s->no = 502;
        if (!call->streaming) /* it is what the upstream answers */
            km_buf_str(&call->at->answer, event->data);
    }
    if (out->n == before || (s->heard.bytes != written && !s->error && is_bare(call, event)))
        return r; /* as most events */
    if (s->error || s->events == events || !is_bare(call, event) ||
        km_veil_tells_failure(km_str_skip(km_buf_view(out), before)))
        veil_event(call, before, out);
    return r;
}

static int read_event(struct km_call *call, const struct km_sse_event *event, struct km_buf *out,
                      struct km_err *err)
{
    const size_t before = out->n;
    int r = pass_event(call, event, out, err);

    if (r == 0 && call->resume)
        km_llm_note_told(call, event, before, out);
    return r;
}

/* A stream's first event was a no, of which the client has nothing: as if it had come instead of a
 * stream, so that another upstream may be asked. */
static bool was_refused(const struct km_call *call)
{
    return call->at->stream.no && !call->streaming;
}

static int refuse_stream(struct km_call *call, struct km_err *err)
{
    call->at->status = call->at->stream.no;
    km_call_refused(call);
    *err = call->err;
    return err->code;
}

/* It has passed the units of the attempt, at once or after a wait: now those of the call. */
static int on_event(struct km_call *call, const struct km_piece *piece, struct km_err *err)
{
    const struct km_sse_event event = { .raw = piece->bytes,
                                        .type = piece->type,
                                        .data = piece->data,
                                        .has_data = piece->has_data,
                                        .retry_ms = -1 };
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(SCRATCH_BYTES);
    struct km_piece said = *piece;
    struct km_arena scratch KM_CLEANUP(km_arena_done), *before = call->at->stream.scratch;
    int r;

    km_arena_init(&scratch, SCRATCH_BYTES, km_loop_arenas(call->w->loop));
    if (call->at->convert)
        return km_translate_event(call, piece, err);
    call->at->stream.scratch = &scratch;
    r = read_event(call, &event, &out, err);
    call->at->stream.scratch = before;
    if (r == 0 && km_buf_failed(&out))
        r = km_fail(err, KM_E_UPSTREAM_PROTOCOL, "too many events at once");
    said.bytes = km_buf_view(&out);
    if (r < 0 || !said.bytes.n || was_refused(call))
        return r;
    if (!call->streaming)
        km_call_stream_start(call);
    km_call_event(call, &said);
    return 0;
}

/* Where no unit stands in the way the events of one read are one text. */
static int relay_event(struct km_call *call, const struct km_sse_event *event, struct km_err *err)
{
    struct km_piece piece = { .what = KM_PIECE_EVENT,
                              .bytes = event->raw,
                              .type = event->type,
                              .data = event->data,
                              .has_data = event->has_data };

    if (call->at->fetch.first)
        return km_chain_take(&call->at->fetch, &piece, err);
    return call->deliver.first ? on_event(call, &piece, err)
                               : read_event(call, event, &call->w->scratch, err);
}

/* A comment before the first event goes to nobody: some providers send them while a request waits
 * with them, and who has heard one could not be served by another deployment any more. */
static bool is_early(const struct km_call *call)
{
    return !call->streaming && !call->w->scratch.n;
}

static int on_sse(void *ctx, const struct km_sse_event *event)
{
    struct km_call *call = ctx;

    if (event->has_data)
        km_call_event_came(call);
    else if (is_early(call))
        return 0;
    return read_event(call, event, &call->w->scratch, NULL);
}

/* The same where units stand in the way.  No error of theirs is one of the reader's. */
static int through_units(void *ctx, const struct km_sse_event *event)
{
    struct km_call *call = ctx;
    struct km_err err;

    if (event->has_data)
        km_call_event_came(call);
    else if (is_early(call))
        return 0;
    if (relay_event(call, event, &err) < 0)
        km_call_refuse(call, &err);
    return 0;
}

/* Empty: it has none, or is no JSON. */
static struct km_str type_of(struct km_str data, struct km_arena *scratch)
{
    static const struct km_str name = { "type", 4 };
    struct km_str type = KM_STR_NONE;
    const struct km_json *root;
    struct km_json_span span;

    if (km_json_sure_spans(data, &name, 1, &span, NULL, NULL))
        return span.type == KM_JSON_STRING ? km_json_text(scratch, data, &span) : KM_STR_NONE;
    if (km_json_parse_answer(scratch, data, &root, NULL) == 0)
        (void)km_json_string(km_json_get(root, "type"), &type);
    return type;
}

/* An event in a wrapping of the upstream's: as if it had come as the caller will get it. */
static int on_frame(void *ctx, const struct km_frame_event *frame, struct km_err *err)
{
    struct km_call *call = ctx;
    struct km_arena *scratch = call->at->stream.scratch;
    struct km_sse_event event = { .has_data = true, .retry_ms = -1 };
    int r = call->at->d->codec->unwrap(frame, scratch, &event.data, err);

    if (r < 0)
        return r;
    km_call_event_came(call);
    event.type = type_of(event.data, scratch);
    if (!event.type.n || km_str_chr(event.data, '\n') < event.data.n ||
        km_str_chr(event.type, '\n') < event.type.n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "An event of the upstream's has no type.");
    event.raw = km_arena_cat(scratch,
                             (struct km_str[]){ KM_STR("event: "), event.type, KM_STR("\ndata: "),
                                                event.data, KM_STR("\n\n") },
                             5);
    if (!event.raw.n)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    event.data =
        km_str_sub(km_str_skip(event.raw, event.raw.n - event.data.n - 2), 0, event.data.n);
    return relay_event(call, &event, err);
}

/* Whoever reads the stream; false: it is none, or there is no memory. */
static bool read_stream(struct km_call *call, struct km_str type)
{
    const struct km_codec *codec = call->at->d->codec;
    size_t most = (size_t)call->visit->view->snap->gateway->sse_event_bytes;

    if (km_str_istarts(type, KM_STR("text/event-stream")))
        call->at->sse = km_sse_new(
            most, call->at->fetch.first || call->deliver.first ? through_units : on_sse, call);
    else if (codec && codec->unwrap && km_framing_is(codec->framing, type))
        call->at->framer = km_framer_new(codec->framing, most, on_frame, call);
    return call->at->sse || call->at->framer;
}

static void on_head(struct km_call *call, const struct km_response *response)
{
    struct km_str type = km_header_get(&response->headers, KM_STR("content-type"));

    km_call_answer_head(call, response);
    if (call->req.left)
        km_translate_tell_left(call);
    if (call->at->coding.n)
        return; /* read to its end and then refused: it cannot be understood */
    if (call->at->convert) {
        km_translate_head(call, response);
        return;
    }
    if (call->req.stream)
        km_call_join(call);
    if (!call->req.stream || !read_stream(call, type))
        return; /* read as a whole answer instead, which will say what is wrong */
    km_llm_stream_init(&call->at->stream, &call->req, &call->arena, NULL);
    if (!call->slices && call->said_output < 0 && call->bound_tokens < 0) {
        call->at->stream.keeps = false; /* it is never cut: what its end would need is not kept */
        call->at->stream.arena = NULL;
    }
    call->at->relaying = true; /* begun with its first event: that may say no */
}

static int on_body(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    struct km_arena scratch;
    struct km_str out;
    int r;

    if (call->at->convert)
        return km_translate_feed(call, bytes, n, err);
    km_arena_init(&scratch, SCRATCH_BYTES, km_loop_arenas(call->w->loop));
    call->at->stream.scratch = &scratch;
    km_buf_reset(&call->w->scratch);
    r = call->at->framer ? km_framer_feed(call->at->framer, bytes, n, err)
                         : km_sse_feed(call->at->sse, bytes, n, err);
    call->at->stream.scratch = NULL;
    km_arena_done(&scratch);
    if (r == 0 && km_buf_failed(&call->w->scratch))
        r = km_fail(err, KM_E_UPSTREAM_PROTOCOL, "too many events at once");
    if (r == 0 && was_refused(call))
        return refuse_stream(call, err);
    if (r == 0)
        r = km_llm_kept_back(call, err);
    out = km_buf_view(&call->w->scratch);
    if (out.n && !call->streaming)
        km_call_stream_start(call);
    km_call_write_one(call, out);
    (void)km_call_flush(call);
    if (r < 0 && err->code == KM_E_LIMIT)
        err->code = KM_E_UPSTREAM_PROTOCOL;
    return r;
}

static int complete_stream(struct km_call *call, struct km_err *err)
{
    if (was_refused(call))
        return refuse_stream(call, err);
    if (call->at->stream.no) { /* nothing was done for it */
        (void)km_fail(err, KM_E_UPSTREAM_STATUS, "The upstream answered with an error alone.");
        err->http = call->at->stream.no;
        return KM_E_UPSTREAM_STATUS;
    }
    if (call->at->stream.error)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream ended its stream with an error.");
    if (call->at->stream.done && !call->streaming && !call->at->stream.usage.known)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "The upstream's stream has nothing but its end.");
    if (call->at->stream.done || call->at->stream.finished) {
        call->at->stream.ended = true;
        return 0;
    }
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                   "The upstream's stream ended before it was complete.");
}

/* An event that ends a stream early, as one of the upstream's. */
static int say_last(void *ctx, const struct km_sse_event *event, struct km_err *err)
{
    struct km_call *call = ctx;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(SCRATCH_BYTES);
    struct km_piece piece = {
        .what = KM_PIECE_EVENT, .type = event->type, .data = event->data, .has_data = true
    };

    km_buf_str(&out, event->raw);
    veil_event(call, 0, &out);
    if (km_buf_failed(&out))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!call->streaming)
        km_call_stream_start(call);
    piece.bytes = km_buf_view(&out);
    km_call_event(call, &piece);
    return 0;
}

static int cut_stream(struct km_call *call, const struct km_usage *told, struct km_err *err)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_llm_cut cut = { .usage = *told,
                                    .id = km_str(call->visit->id_text, KM_UUID_LEN),
                                    .created_s = call->start_us / 1000000,
                                    .say = say_last,
                                    .ctx = call };
    int r;

    km_arena_init(&scratch, SCRATCH_BYTES, km_loop_arenas(call->w->loop));
    call->at->stream.scratch = &scratch;
    r = km_llm_stream_cut(&call->at->stream, &cut, err);
    call->at->stream.scratch = NULL;
    return r;
}

static int cut_short(struct km_call *call, const struct km_usage *told, struct km_err *err)
{
    if (call->at->convert)
        return km_translate_cut_short(call, told, err);
    if (!call->at->relaying || call->at->stream.cut)
        return km_fail(err, KM_E_UNSUPPORTED, "This answer is no stream that is under way.");
    return cut_stream(call, told, err);
}

static int complete_any(struct km_call *call, struct km_err *err)
{
    if (call->at->convert && !call->at->coding.n)
        return km_translate_complete(call, err);
    if (call->at->relaying)
        return complete_stream(call, err);
    if (call->at->coding.n)
        return km_call_compressed(call, err);
    return call->api->answer(&call->req, &call->arena, km_buf_view(&call->at->answer), &call->parts,
                             &call->nparts, &call->at->stream.usage, err);
}

static int complete(struct km_call *call, struct km_err *err)
{
    if (!call->at->relaying && !call->at->convert && call->api->wire == KM_WIRE_RESPONSES)
        km_veil_whole(call, KM_STR("application/json")); /* it has its error beside its output */
    return complete_any(call, err);
}

/* Its last event follows the end of a translated answer, which is the upstream's. */
static bool told_all(const struct km_call *call)
{
    const struct km_llm_stream *s = &call->at->stream;

    return !call->at->convert && !s->error &&
           (s->done || s->ended || (s->finished && call->req.choices <= 1));
}

static void usage(struct km_call *call, struct km_usage *ret)
{
    if (call->api->count) { /* nobody bills for counting */
        *ret = (struct km_usage){ .known = true };
        return;
    }
    if (call->at->convert && km_translate_usage(call, ret))
        return;
    if (call->at->relaying && !call->at->convert) {
        *ret = km_llm_stream_usage(&call->at->stream);
        return;
    }
    *ret = km_llm_whole_usage(&call->req, &call->at->stream.usage, &call->arena,
                              km_buf_view(&call->at->answer));
}

static void doubt(struct km_call *call)
{
    if (call->at->convert)
        km_translate_doubt(call);
    km_llm_stream_doubt(&call->at->stream);
}

static void forget(struct km_call *call)
{
    call->at->convert = km_translation_free(call->at->convert);
}

/* Images that are fetched for an attempt. */
static void abandon(struct km_call *call)
{
    if (call->at->convert && call->step == KM_STEP_route)
        call->at->convert->media = km_media_job_free(call->at->convert->media);
}

static bool last(struct km_call *call, struct km_buf *out)
{
    if (km_resume_goes_on(call->resume))
        return km_llm_resumed_last(call, out);
    if (!call->at->convert && call->resume)
        km_buf_str(out, call->resume->kept_back);
    if (!call->at->convert)
        return km_call_last(call, out);
    if (call->cut) {
        km_translate_cut(call, out);
        return call->api->encoder->fail || km_error_event_is_heard(call->api->dialect);
    }
    km_translate_end(call, out);
    return true;
}

/* What it does, in whoever's name. */
#define LLM_ROWS                                                                                   \
    .needs_body = true, \
    .prepare = prepare, \
    .attempt = attempt, \
    .on_head = on_head, \
    .on_body = on_body, \
    .on_event = on_event, \
    .encode = km_translate_say, \
    .complete = complete, \
    .cut_short = cut_short, \
    .told_all = told_all, \
    .usage = usage, \
    .doubt = doubt, \
    .forget = forget, \
    .abandon = abandon, \
    .last = last

const struct km_call_kind km_kind_llm = {
    .explain = km_call_explain,
    .name = "llm",
    .repeats = true,
    .falls_back = true,
    .refers = true,
    LLM_ROWS,
};

const struct km_call_kind km_kind_own = {
    .name = "own",
    .call_type = "health_check",
    .own = true,
    LLM_ROWS,
};

/* What a key pays for, and no client hears. */
const struct km_call_kind km_kind_mirror = {
    .name = "mirror",
    LLM_ROWS,
};
