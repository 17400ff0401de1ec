/* SPDX-License-Identifier: Apache-2.0 */
/* translate.c - between a caller and an upstream that speak different protocols.
 *
 *     body ─ parse ─> tree ─ api->decode ─> km_chat ─ codec->encode ─> parts      an attempt
 *     bytes ─ framer ─> codec->event ─> km_answer ─ encoder->event ─> bytes        a stream
 *     body ─ codec->decode ─> km_answer ─ encoder->whole ─> body                   a whole answer
 *
 * The request's tree and what was made of it live in an arena of the attempt's own, which is
 * given back as soon as the upstream has taken the request and begun to answer: a long stream
 * holds none of it.  What the answer needs lives in the call's arena.
 *
 * The client's head is sent with the first bytes there are for it, not with the upstream's: an
 * upstream that says 200 and then an error as its first event (throttling, overload) can still
 * be tried again elsewhere.
 */
#include "gateway/llm/translate.h"

#include "call/model.h"
#include "gateway/llm/resume.h"
#include "kept/things.h"
#include "http/json_drop.h"
#include "http/json_fill.h"
#include "llm/mock.h"

#define FIRST_BYTES ((size_t)1024) /* room made at once: not over the least response_bytes */
#define SCRATCH_BYTES ((size_t)64 * 1024 * 1024)

struct km_translation *km_translation_free(struct km_translation *tr)
{
    if (!tr)
        return NULL;
    tr->media = km_media_job_free(tr->media);
    km_framer_free(tr->framer);
    km_arena_done(&tr->request);
    km_arena_done(&tr->scratch);
    km_buf_done(&tr->whole);
    return NULL;
}

/* --- the request --- */

static size_t request_cap(const struct km_call *call)
{
    return (size_t)(call->visit->view->snap->http->body_bytes * 8 + (16 << 20));
}

static struct km_chat_extra *find_extra(const struct km_chat *chat, struct km_str name)
{
    struct km_chat_extra *e = chat->extras;

    while (e && !km_str_eq(e->name, name))
        e = e->next;
    return e;
}

/* A member of extra_body that no parameter is.  One that the codec writes itself is put into what
 * it wrote (fill_own()), or it would stand there twice. */
static int add_as_is(const struct km_call *call, struct km_chat *chat,
                     const struct km_default_param *p, struct km_err *err)
{
    struct km_arena *arena = &call->at->convert->request;
    struct km_chat_extra *extra;

    if (km_codec_own_member(call->at->d->codec, p->name).n)
        return 0;
    extra = find_extra(chat, p->name);
    if (!extra)
        extra = km_chat_extra(chat, arena, p->name, p->json);
    if (extra)
        extra->kind = KM_EXTRA_AS_IS; /* a caller's own too: the provider takes it */
    return km_arena_overflowed(arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

/* One parameter of the deployment's own, where neither the caller nor its budget said it. */
static int add_default(const struct km_call *call, struct km_chat *chat,
                       const struct km_default_param *p, struct km_err *err)
{
    struct km_arena *arena = &call->at->convert->request;
    const struct km_json *value;
    struct km_chat probe;
    int r;

    if (km_openai_member(p->name) || p->use == KM_DEFAULT_VECTORS)
        return 0;
    if (p->use == KM_DEFAULT_AS_IS)
        return add_as_is(call, chat, p, err);
    r = km_json_parse(arena, p->json, &value, err);
    if (r < 0)
        return r;
    km_chat_init(&probe);
    r = km_openai_param(&probe, arena, p->name, value, err);
    if (r == KM_E_NOT_FOUND) {
        if (!find_extra(chat, p->name))
            km_chat_extra(chat, arena, p->name, p->json);
        return 0;
    }
    if (r < 0 || (probe.set & chat->set) ||
        ((probe.set & KM_P_BIT(KM_P_MAX_TOKENS)) && call->bound_tokens >= 0))
        return r;
    return km_openai_param(chat, arena, p->name, value, err);
}

static int add_defaults(const struct km_call *call, struct km_chat *chat, struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < call->at->d->ndefaults; i++)
        r = add_default(call, chat, &call->at->d->defaults[i], err);
    return r;
}

int km_translate_body(struct km_call *call, size_t ndrop, const struct km_json **ret_root,
                      struct km_err *err)
{
    const struct km_deployment *d = call->at->d;
    struct km_str body = call->body;
    int r = ndrop ? km_json_drop(&call->at->convert->request, body,
                                 d->also_drop + d->nalso_drop - ndrop, ndrop, &body, err)
                  : 0;

    return r == 0 ? km_llm_parse_body(&call->at->convert->request, body, ret_root, err) : r;
}

/* Some who copy OpenAI take cache points. */
static unsigned carried_by(const struct km_deployment *d)
{
    return d->codec->carries | (d->provider->cache_control ? KM_TRAIT_BIT(CACHE_POINT) : 0) |
           (d->provider->reasoning ? KM_TRAIT_BIT(UNSIGNED) : 0);
}

static int decode_request(struct km_call *call, struct km_err *err)
{
    struct km_arena *arena = &call->at->convert->request;
    struct km_chat *chat = call->at->convert->chat = km_arena_alloc(arena, sizeof *chat);
    const struct km_json *root = NULL;
    int r = km_translate_body(call, call->at->d->npaths, &root, err);

    if (!chat)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (r < 0)
        return r;
    km_chat_init(chat);
    r = call->api->decode(&call->req, root, arena, chat, err);
    chat->dropped = &call->at->convert->dropped;
    if (r == 0)
        km_dropped_left(chat->dropped, root, call->api->idle);
    call->at->convert->legacy_calls = chat->legacy_calls;
    if (r == 0)
        r = add_defaults(call, chat, err);
    if (r == 0 && km_resume_goes_on(call->resume))
        r = km_llm_continue(call, chat, err);
    if (r == 0)
        r = km_chat_check(chat, call->at->convert->codec, call->at->d, call->api->param_name, arena,
                          err);
    if (r == 0)
        call->at->convert->cites =
            km_chat_may_cite(chat, km_traits_note(chat, carried_by(call->at->d)));
    return r;
}

void km_translate_encode_args(struct km_call *call, struct km_encode_args *ret)
{
    struct km_translation *tr = call->at->convert;

    *ret = (struct km_encode_args){
        .d = call->at->d,
        .model = km_llm_upstream_model(call->at->d, call->match.star, &tr->request),
        .can = &tr->can,
        .arena = &tr->request,
        .stream = call->req.stream,
        .no_stream_options = km_call_no_stream_options(call),
        .buckets = km_things_opened(call, KM_OPENED_BUCKETS),
        .max_tokens = km_call_bound(call),
        .ret_bound = &call->at->money.bound,
        .caller = &call->request->headers,
        .state = tr->decode.state,
        .keep = &call->arena,
    };
}

/* Members of extra_body that the codec wrote itself: what is said there holds. */
static int fill_own(const struct km_call *call, struct km_str **parts, size_t *n,
                    struct km_err *err)
{
    const struct km_deployment *d = call->at->d;
    struct km_arena *arena = &call->at->convert->request;
    int r = 0;

    for (size_t i = 0; r == 0 && i < d->ndefaults; i++) {
        const struct km_default_param *p = &d->defaults[i];
        struct km_str own = KM_STR_NONE, body;

        if (p->use == KM_DEFAULT_AS_IS)
            own = km_codec_own_member(d->codec, p->name);
        if (!own.n)
            continue;
        body = km_arena_cat(arena, *parts, *n);
        r = km_json_fill(arena, body, own, p->json, &body, err);
        *n = 1;
        *parts = km_arena_alloc(arena, sizeof **parts);
        if (!*parts)
            return km_fail(err, KM_E_NOMEM, "out of memory");
        (*parts)[0] = body;
    }
    return r;
}

int km_translate_request(struct km_call *call, struct km_json_out *out, const struct km_chat *chat,
                         enum km_wire wire, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_target_args target = { .d = call->at->d, .wire = wire, .stream = call->req.stream };
    struct km_encode_args args;
    struct km_str *parts = NULL;
    size_t n = 0;
    int r = km_json_out_parts(out, &parts, &n, err);

    km_translate_encode_args(call, &args);
    target.model = args.model;
    if (r == 0 && wire == KM_WIRE_CHAT)
        r = fill_own(call, &parts, &n, err);
    if (r == 0 && tr->codec->head)
        r = tr->codec->head(&args, chat, &head, err);
    if (r < 0)
        return r;
    km_call_request(call, parts, n);
    if (head.n)
        call->at->out.head = km_arena_cat(
            &tr->request, (struct km_str[]){ call->at->d->head, km_buf_view(&head) }, 2);
    call->at->out.target = km_arena_cat(
        &tr->request,
        (struct km_str[]){ call->at->d->base_path, tr->codec->target(&target, &tr->request) }, 2);
    return km_buf_failed(&head) || km_arena_overflowed(&tr->request)
               ? km_fail(err, KM_E_NOMEM, "out of memory")
               : 0;
}

static int encode_request(struct km_call *call, const struct km_chat *chat, struct km_err *err)
{
    struct km_encode_args args;
    struct km_json_out out;
    int r;

    km_translate_encode_args(call, &args);
    km_json_out_parts_init(&out, &call->at->convert->request, request_cap(call));
    (void)km_buf_reserve(out.buf, FIRST_BYTES); /* mostly all of it: what is long is referred to */
    r = call->at->convert->codec->encode(&args, chat, &out, err);
    if (r == 0)
        r = km_translate_request(call, &out, chat, KM_WIRE_CHAT, err);
    km_json_out_done(&out);
    return r;
}

int km_translate_begin(struct km_call *call, const struct km_codec *codec, struct km_err *err)
{
    struct km_translation *tr = call->at->convert = km_arena_zalloc(&call->arena, sizeof *tr);

    if (!tr)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    tr->codec = codec;
    tr->dropped.arena = &call->arena;
    call->at->request_arena = &tr->request;
    if (codec && codec->state_size) { /* a mock has none */
        tr->decode.state = km_arena_zalloc(&call->arena, codec->state_size);
        if (!tr->decode.state)
            return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    km_deployment_can(call->at->d,
                      km_llm_upstream_model(call->at->d, call->match.star, &call->arena), &tr->can);
    tr->decode.can = &tr->can;
    km_arena_init(&tr->request, request_cap(call), km_loop_arenas(call->w->loop));
    km_arena_init(&tr->scratch, SCRATCH_BYTES, km_loop_arenas(call->w->loop));
    tr->whole =
        (struct km_buf)KM_BUF((size_t)(2 * call->visit->view->snap->gateway->response_bytes));
    return 0;
}

int km_translate_attempt(struct km_call *call, struct km_err *err)
{
    const struct km_codec *codec = call->at->d->codec;
    bool embeds = call->api->wire == KM_WIRE_EMBEDDING, ranks = call->api->wire == KM_WIRE_RERANK;
    int r;

    if (!codec || (embeds  ? !codec->embed_encode
                   : ranks ? !codec->rank_encode
                           : !codec->encode || !call->api->decode))
        return km_fail(err, KM_E_UNSUPPORTED,
                       "Model '%.*s' cannot be asked by this endpoint: %.*s has none like it.",
                       KM_STR_ARG(km_str_sub(call->req.model, 0, 100)),
                       KM_STR_ARG(call->at->d->provider_name));
    if (call->at->convert && call->at->convert->media) { /* its images are here */
        r = encode_request(call, call->at->convert->chat, err);
        call->at->convert->chat = NULL;
        return r;
    }
    r = km_translate_begin(call, codec, err);
    if (r == 0 && embeds)
        return km_embed_attempt(call, err);
    if (r == 0 && ranks)
        return km_rank_attempt(call, err);
    if (r == 0)
        r = decode_request(call, err);
    if (r == 0)
        r = km_media_begin(call, call->at->convert->chat, err);
    return r == 0 ? encode_request(call, call->at->convert->chat, err) : r;
}

/* --- the answer --- */

/* Where units look at what is said they have it before it is in the client's dialect. */
static void give_delta(struct km_call *call, const struct km_chat_event *delta)
{
    struct km_piece piece = { .what = KM_PIECE_EVENT, .delta = delta };

    if (!call->streaming)
        km_call_stream_start(call);
    km_call_event(call, &piece);
}

/* An upstream that began and said nothing yet can still be tried again elsewhere: the beginning is
 * told with what follows it. */
static void give_start(struct km_call *call)
{
    struct km_translation *tr = call->at->convert;

    if (!tr->owes_start)
        return;
    tr->owes_start = false;
    give_delta(call,
               &(struct km_chat_event){ .kind = KM_CHAT_START, .id = tr->answer.upstream_id });
}

static int hand_on(void *ctx, const struct km_chat_event *delta, struct km_err *err)
{
    struct km_call *call = ctx;

    (void)err;
    if (delta->kind == KM_CHAT_START) {
        call->at->convert->owes_start = true;
        return 0;
    }
    give_start(call);
    give_delta(call, delta);
    return 0;
}

static void begin_answer(struct km_call *call, struct km_buf *out)
{
    struct km_translation *tr = call->at->convert;
    size_t own = call->api->encoder->state_size;

    tr->answer = (struct km_answer){ .to = call->api->encoder,
                                     .request = &call->req,
                                     .arena = &call->arena,
                                     .out = out,
                                     .stream = call->req.stream,
                                     .usage_asked = call->req.usage_asked,
                                     .legacy_calls = tr->legacy_calls,
                                     .gathers = call->api->encoder->gathers || tr->cites,
                                     .dropped = &tr->dropped,
                                     .model = call->req.model,
                                     .id = km_str(call->visit->id_text, KM_UUID_LEN),
                                     .created_s = call->start_us / 1000000,
                                     .prompt_estimate = km_llm_prompt_estimate(&call->req) };
    tr->answer.state = own ? km_arena_zalloc(&call->arena, own) : NULL;
    tr->decode.answer = &tr->answer;
    tr->decode.arena = &call->arena;
    tr->decode.scratch = &tr->scratch;
}

/* Of a stream whose deltas are handed on nothing comes into the buffer that flush() sends: each is
 * encoded into the dialect's (write.c). */
static int begin_events(struct km_call *call, struct km_buf *out, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    bool says;
    int r = 0;

    km_call_join(call);
    says = call->says && !(call->resume && call->resume->told.native);
    begin_answer(call, says ? &tr->whole : out);
    if (call->resume)
        r = km_llm_take_voice(call, tr->answer.out, err);
    if (says) {
        tr->answer.hand_on = hand_on;
        tr->answer.hand_ctx = call;
    }
    return r;
}

int km_translate_say(struct km_call *call, const struct km_chat_event *delta, struct km_buf *out,
                     struct km_err *err)
{
    struct km_answer *voice = km_llm_voice(call);
    struct km_buf *own;
    int r;

    if (!voice || !voice->hand_on)
        return km_fail(err, KM_E_UNSUPPORTED,
                       "This stream is passed on as it comes, and a unit put a delta into it.");
    own = voice->out;
    voice->out = out;
    r = km_answer_say(voice, delta, err);
    voice->out = own;
    return r;
}

static int out_of_memory(const struct km_call *call, struct km_err *err)
{
    return km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

static int decode_event(struct km_translation *tr, const struct km_frame_event *event,
                        struct km_err *err)
{
    uint64_t before = tr->answer.heard.bytes;
    int r = tr->answer.cut ? 0 : tr->codec->event(&tr->decode, event, err);
    size_t text = (size_t)(tr->answer.heard.bytes - before);

    /* Pieces of a text follow one another, and nothing but the text differs. */
    if (r == 0 && tr->decode.read && (!text || event->data.n - text != tr->beside))
        km_translate_look(tr);
    tr->beside = text ? event->data.n - text : 0;
    tr->decode.read = NULL;
    km_arena_done(&tr->scratch);
    return r;
}

int km_translate_event(struct km_call *call, const struct km_piece *piece, struct km_err *err)
{
    const struct km_frame_event event = { .type = piece->has_data ? piece->type : KM_STR_NONE,
                                          .data = piece->data,
                                          .exception =
                                              piece->has_data ? KM_STR_NONE : piece->type };

    return decode_event(call->at->convert, &event, err);
}

static int on_event(void *ctx, const struct km_frame_event *event, struct km_err *err)
{
    struct km_call *call = ctx;

    km_call_event_came(call);
    return decode_event(call->at->convert, event, err);
}

/* The same where the attempt has units. */
static int through_units(void *ctx, const struct km_frame_event *event, struct km_err *err)
{
    struct km_call *call = ctx;
    struct km_piece piece = { .what = KM_PIECE_EVENT,
                              .type = event->exception.n ? event->exception : event->type,
                              .data = event->data,
                              .has_data = !event->exception.n };

    km_call_event_came(call);
    return km_chain_take(&call->at->fetch, &piece, err);
}

/* The upstream has it: nothing of it is held through a long answer. */
static void drop_request(struct km_translation *tr)
{
    tr->chat = NULL;
    tr->media = km_media_job_free(tr->media);
    km_arena_done(&tr->request);
}

void km_translate_head(struct km_call *call, const struct km_response *response)
{
    struct km_translation *tr = call->at->convert;
    struct km_str type = km_header_get(&response->headers, KM_STR("content-type"));
    size_t most = (size_t)call->visit->view->snap->gateway->sse_event_bytes;
    struct km_err err;

    if (tr->embed || tr->rank) /* their answers need what was asked */
        return;
    tr->asked = tr->dropped.n;
    if (call->at->up && km_http_sent(call->at->up))
        drop_request(tr);
    if (!call->req.stream || !km_framing_is(tr->codec->framing, type))
        return;
    tr->framer = km_framer_new(tr->codec->framing, most,
                               call->at->fetch.first ? through_units : on_event, call);
    if (!tr->framer)
        return; /* gathered instead, which will say what is wrong */
    km_translate_tell_dropped(call);
    if (begin_events(call, &call->w->scratch, &err) < 0)
        km_call_refuse(call, &err);
    call->at->relaying = true;
}

static void flush_through(struct km_call *call, struct km_str out)
{
    struct km_piece piece = { .what = KM_PIECE_EVENT, .bytes = out };
    struct km_err err;

    if (out.n && km_resume_goes_on(call->resume) && call->resume->told.native) {
        if (km_llm_give_events(call, out, &err) < 0)
            km_call_refuse(call, &err);
    } else if (out.n) {
        km_call_event(call, &piece);
    }
    (void)km_call_flush(call);
}

/* What was made of the events goes to the client, in one write. */
static void flush(struct km_call *call, struct km_buf *from)
{
    struct km_str out = km_buf_view(from);

    if (out.n && !call->streaming)
        km_call_stream_start(call);
    if (!call->deliver.first)
        km_call_write_one(call, out);
    else
        flush_through(call, out);
}

static int feed(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    int r = out_of_memory(call, err);

    if (r == 0)
        r = km_framer_feed(tr->framer, bytes, n, err);
    if (r == 0 && km_buf_failed(tr->answer.out))
        r = km_fail(err, KM_E_UPSTREAM_PROTOCOL, "too many events at once");
    if (r < 0 && err->code == KM_E_LIMIT)
        err->code = KM_E_UPSTREAM_PROTOCOL;
    return r;
}

int km_translate_feed(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    struct km_buf *out = call->at->convert->answer.out;
    int r;

    km_buf_reset(out);
    r = feed(call, bytes, n, err);
    flush(call, out);
    return r;
}

static int complete_stream(struct km_call *call, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    int r = 0;

    if (tr->answer.cut) /* its upstream was left in the middle */
        return 0;
    km_buf_reset(tr->answer.out);
    if (tr->codec->end)
        r = tr->codec->end(&tr->decode, err);
    else if (!tr->answer.finished)
        r = km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                    "The upstream's stream ended before it was complete.");
    km_arena_done(&tr->scratch);
    km_translate_count_dropped(call);
    if (r == 0)
        give_start(call);
    flush(call, tr->answer.out);
    if (r == 0 && !call->streaming)
        km_call_stream_start(call);
    return r;
}

static int complete_whole(struct km_call *call, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    int r;

    r = out_of_memory(call, err);
    if (r == 0 && call->req.stream)
        r = begin_events(call, &tr->whole, err);
    else
        begin_answer(call, &tr->whole);
    (void)km_buf_reserve(&tr->whole, call->at->answer.n + FIRST_BYTES);
    if (r == 0)
        r = tr->codec->decode(&tr->decode, km_buf_view(&call->at->answer), err);
    if (r == 0)
        km_dropped_left(&tr->dropped, tr->decode.read, tr->codec->idle);
    km_arena_done(&tr->scratch);
    if (r == 0 && !tr->answer.started)
        r = km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer holds nothing.");
    if (r == 0 && !call->req.stream)
        r = call->api->encoder->whole(&tr->answer, err);
    km_translate_tell_dropped(call);
    if (r < 0)
        return r;
    km_translate_count_dropped(call);
    give_start(call);
    if (call->req.stream &&
        !km_buf_failed(&tr->whole)) { /* a stream was asked for, and this upstream gave a whole */
        flush(call, &tr->whole);
        return 0;
    }
    return km_translate_whole(call, err);
}

int km_translate_whole(struct km_call *call, struct km_err *err)
{
    if (km_buf_failed(&call->at->convert->whole))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "The upstream's answer is over kanmon_settings.response_bytes.");
    call->parts = km_arena_alloc(&call->arena, sizeof *call->parts);
    if (!call->parts)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->parts[0] = km_buf_view(&call->at->convert->whole);
    call->nparts = 1;
    return 0;
}

int km_translate_complete(struct km_call *call, struct km_err *err)
{
    if (call->at->convert->embed)
        return km_embed_complete(call, err);
    if (call->at->convert->rank)
        return km_rank_complete(call, err);
    return call->at->relaying ? complete_stream(call, err) : complete_whole(call, err);
}

void km_translate_end(struct km_call *call, struct km_buf *out)
{
    call->at->convert->answer.out = out;
    if (call->api->encoder->end)
        call->api->encoder->end(&call->at->convert->answer);
}

void km_translate_cut(struct km_call *call, struct km_buf *out)
{
    call->at->convert->answer.out = out;
    if (call->api->encoder->fail)
        call->api->encoder->fail(&call->at->convert->answer, &call->err);
    else
        km_error_event(call->api->dialect, &call->err, km_str(call->visit->id_text, KM_UUID_LEN),
                       out);
}

/* What was made of it goes out behind what the last read gave. */
static void give_last(struct km_call *call, struct km_str bytes)
{
    struct km_piece piece = { .what = KM_PIECE_EVENT, .bytes = bytes };

    give_start(call);
    if (!call->streaming)
        km_call_stream_start(call);
    if (bytes.n)
        km_call_event(call, &piece);
}

int km_translate_cut_short(struct km_call *call, const struct km_usage *told, struct km_err *err)
{
    struct km_answer *answer = &call->at->convert->answer;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(SCRATCH_BYTES);
    struct km_answer *voice = km_llm_voice(call);
    struct km_buf *own = answer->out;
    int r;

    if (!call->at->relaying || answer->cut)
        return km_fail(err, KM_E_UNSUPPORTED, "This answer is no stream that is under way.");
    answer->out = voice->out = &out;
    r = km_answer_cut(answer, told, err);
    answer->out = voice->out = own;
    if (r == 0 && km_buf_failed(&out))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        give_last(call, km_buf_view(&out));
    return r;
}

int km_translate_mock(struct km_call *call, struct km_err *err)
{
    int r;

    if (!call->api->encoder)
        return km_fail(err, KM_E_UNSUPPORTED, "mock_response serves chat and completions.");
    r = km_translate_begin(call, NULL, err);
    if (r < 0)
        return r;
    begin_answer(call, &call->at->convert->whole);
    r = km_mock_events(&call->at->convert->answer, call->at->d->mock_response, err);
    if (r == 0 && !call->req.stream)
        r = call->api->encoder->whole(&call->at->convert->answer, err);
    else if (r == 0 && call->api->encoder->end)
        call->api->encoder->end(&call->at->convert->answer);
    return r == 0 ? km_translate_whole(call, err) : r;
}

bool km_translate_usage(const struct km_call *call, struct km_usage *ret)
{
    if (call->at->convert->embed) {
        *ret = call->at->convert->embed->usage;
        return ret->known;
    }
    if (call->at->convert->rank) {
        *ret = call->at->convert->rank->usage;
        return ret->known;
    }
    if (!call->at->convert->answer.started)
        return false;
    *ret = km_answer_usage(&call->at->convert->answer);
    return true;
}

void km_translate_doubt(struct km_call *call)
{
    struct km_translation *tr = call->at->convert;

    if (tr->embed)
        tr->embed->usage.known = false;
    if (tr->rank)
        tr->rank->usage = (struct km_usage){ 0 };
    tr->answer.usage = (struct km_usage){ 0 };
}
