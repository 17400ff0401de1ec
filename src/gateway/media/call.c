/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the media kind of call: images, audio and moderations, passed on as they are.
 *
 * A request is JSON (read whole, edited by span) or a form (kept/upload.c).  An answer is one of
 *
 *     JSON, text      read to its end, because it says what was used
 *     an event stream relayed as it comes, its events looked at for usage
 *     anything else   relayed as it comes (speech): what it costs was known before
 *
 * What is asked for is kept as one small struct (llm/api/media.h); the reservation and the bill
 * come from it.  Nothing is translated: an upstream that does not have the endpoint is refused
 * by name, before it hears anything.
 */
#include "door/http_port.h"
#include "gateway/media/media.h"
#include "kept/upload.h"

#include "call/dry.h"
#include "call/model.h"
#include "call/veil.h"
#include "llm/api/media.h"
#include "policy/execution.h"

#define EVENT_BYTES ((size_t)16 << 20) /* an event may carry an image */

struct km_media_work {
    struct km_media_ask ask;
    struct km_media_said said;
    struct km_price price; /* of the deployment that answered, for what was asked */
};

static const char work_name[] = "media";

static struct km_media_work *work_of(const struct km_call *call)
{
    return km_call_work(call, work_name);
}

static const struct km_media_api *row_of(const struct km_call *call)
{
    return km_media_of(call->api);
}

/* In its path or query; else the form must say it. */
static bool names_model(struct km_call *call)
{
    struct km_str model = KM_STR_NONE;

    (void)km_query_get(&call->arena, call->request->query, KM_STR("model"), &model);
    return model.n || call->visit->path_model.n || call->visit->match.nparams;
}

static int take(struct km_call *call, struct km_err *err)
{
    const struct km_media_api *row = row_of(call);

    if (row->body != KM_MEDIA_JSON && km_upload_is_form(call))
        return km_upload_take(call, !names_model(call), err);
    if (row->body == KM_MEDIA_FORM)
        return km_fail(err, KM_E_MEDIA_TYPE, "%s takes Content-Type: multipart/form-data.",
                       call->api->path);
    return km_call_take_body(call);
}

/* A copy: the hold goes before the call does. */
static struct km_str field(struct km_call *call, const char *name)
{
    struct km_str v = KM_STR_NONE;

    return km_upload_field(km_upload_of(call), km_str_c(name), &v) ? km_arena_str(&call->arena, v)
                                                                   : KM_STR_NONE;
}

/* The form's word, the path's, the query's, or the endpoint's own. */
static int form_model(struct km_call *call, struct km_str from_path, struct km_err *err)
{
    const struct km_http_settings *set = call->visit->view->snap->http;
    struct km_str query = call->request->query;

    call->req.model = from_path.n ? from_path : field(call, "model");
    call->req.model_from_path = from_path.n > 0;
    if (!call->req.model.n)
        (void)km_query_get(&call->arena, query, KM_STR("model"), &call->req.model);
    if (!call->req.model.n && row_of(call)->model && km_upload_whole(km_upload_of(call)))
        call->req.model = km_str_c(row_of(call)->model);
    if (call->req.model.n)
        return 0;
    if (km_upload_whole(km_upload_of(call)))
        return km_fail_param(err, KM_E_INVALID, "model",
                             "%s: Missing required parameter: 'model'. GET /v1/models lists the "
                             "names to choose from.",
                             call->api->path);
    return km_fail_param(err, KM_E_LIMIT, "model",
                         "The form does not name its 'model' in its first %lld bytes "
                         "(kanmon_settings.limits.upload_ahead_bytes, upload_spool_bytes). Put the "
                         "field before the file, or name it in the URL: ?model=...",
                         (long long)(set->upload_spool_bytes > set->upload_ahead_bytes
                                         ? set->upload_spool_bytes
                                         : set->upload_ahead_bytes));
}

static int read_form(struct km_call *call, struct km_str from_path, struct km_err *err)
{
    static const char *const counted[] = { "n", "size", "quality" };
    struct km_media_ask *ask = &work_of(call)->ask;
    struct km_str v;
    int r;

    call->req = (struct km_llm_request){
        .api = call->api, .max_tokens = -1, .choices = 1, .num_retries = -1
    };
    call->req.execution = field(call, KM_EXECUTION_BODY);
    r = form_model(call, from_path, err);
    *ask = (struct km_media_ask){ .n = 1,
                                  .bytes = km_upload_bytes(call),
                                  .files = km_upload_files(km_upload_of(call)) };
    for (size_t i = 0; r == 0 && i < sizeof counted / sizeof counted[0]; i++) {
        v = field(call, counted[i]);
        if (v.n)
            r = km_media_set(ask, km_str_c(counted[i]), v, err);
    }
    call->req.stream = km_str_ieq(field(call, "stream"), KM_STR("true"));
    call->req.user = field(call, "user");
    return r;
}

static int prepare(struct km_call *call, struct km_err *err)
{
    struct km_str from_path;
    int r = km_call_path_model(call, &from_path, err);

    km_call_set_work(call, km_arena_zalloc(&call->arena, sizeof(struct km_media_work)));
    if (r == 0 && !call->work)
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0 && km_upload_of(call))
        r = read_form(call, from_path, err);
    else if (r == 0)
        r = km_call_check_type(call, err);
    if (r == 0 && !km_upload_of(call))
        r = km_llm_request_parse(&call->req, call->api, &call->arena, call->body, from_path, err);
    if (r == 0 && !km_upload_of(call))
        r = km_media_read(&call->req, &call->arena, &work_of(call)->ask, err);
    if (r < 0)
        return r;
    km_call_read_head(call);
    return km_call_find_model(call, err);
}

static struct km_price price_of(const struct km_call *call, const struct km_deployment *d)
{
    struct km_price room;

    return km_media_price(row_of(call), &work_of(call)->ask, d, *km_call_price(call, d, &room),
                          call->match.star, call->visit->view->snap->prices);
}

/* The dearest of those that may serve it. */
static int reserve(struct km_call *call, struct km_err *err)
{
    bool known = call->match.n > 0;

    call->reserve = 0;
    for (size_t i = 0; i < call->match.n; i++) {
        struct km_price price = price_of(call, call->match.v[i].deployment);
        int64_t cost = 0;

        known = km_media_worst(row_of(call), &work_of(call)->ask, &price, &cost) && known;
        if (cost > call->reserve)
            call->reserve = cost;
    }
    return known ? 0 : km_call_unpriced(call, err);
}

static int attempt(struct km_call *call, struct km_err *err)
{
    const struct km_deployment *d = call->at->d;
    struct km_str model = km_llm_upstream_model(d, call->match.star, &call->arena);
    int r;

    if (d->mock_response.n || !(d->codec->native & KM_WIRE_MEDIA))
        return km_fail_param(err, KM_E_UNSUPPORTED, "model", "%s has no %s here: model '%.*s' %s.",
                             d->codec ? d->codec->name : "A mock", call->api->path,
                             KM_STR_ARG(km_str_sub(call->req.model, 0, 100)),
                             d->mock_response.n ? "only pretends" : "cannot serve it");
    work_of(call)->said = (struct km_media_said){ 0 };
    if (!km_upload_of(call))
        return km_call_pass_on(call, err);
    r = km_upload_send(call, model, d->head, err);
    call->at->out.target =
        km_arena_cat(&call->arena, (struct km_str[]){ d->base_path, km_call_target(call) }, 2);
    return r == 0 && km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory")
                                                       : r;
}

static int on_event(void *ctx, const struct km_sse_event *event)
{
    const struct km_call *call = ctx;

    if (event->data.n)
        km_media_answer(row_of(call), event->data, &work_of(call)->said);
    return 0;
}

static bool is_whole(struct km_str type)
{
    return !type.n || km_str_istarts(type, KM_STR("application/json")) ||
           km_str_istarts(type, KM_STR("text/"));
}

static void on_head(struct km_call *call, const struct km_response *response)
{
    struct km_str type = km_header_get(&response->headers, KM_STR("content-type"));
    bool events = km_str_istarts(type, KM_STR("text/event-stream"));
    struct km_buf *head = &call->w->scratch;

    km_call_answer_head(call, response);
    call->at->type = km_arena_str(&call->arena, type);
    if (call->at->coding.n || (!events && is_whole(type)))
        return;
    if (events) {
        call->at->sse = km_sse_new(EVENT_BYTES, on_event, call);
        km_veil_stream(call);
    }
    call->opaque = !events;
    call->at->relaying = call->streaming = true;
    km_buf_reset(head);
    km_call_head(call, head);
    km_call_start_answer(call, response->status, km_buf_view(head), response->content_length);
}

/* The client gets every byte, whether or not its events can be looked at. */
static int on_body(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    struct km_str part = km_str(bytes, n);

    (void)err;
    if (call->at->sse && km_sse_feed(call->at->sse, bytes, n, NULL) < 0)
        call->at->sse = km_sse_free(call->at->sse);
    km_call_write_one(call, part);
    return 0;
}

static int complete(struct km_call *call, struct km_err *err)
{
    const struct km_media_said *said = &work_of(call)->said;

    if (call->streaming && call->at->sse && said->error)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream ended its stream with an error.");
    if (call->streaming && call->at->sse && !said->done)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "The upstream's stream ended before it was complete.");
    if (call->streaming)
        return 0;
    if (call->at->coding.n)
        return km_call_compressed(call, err);
    km_veil_whole(call, call->at->type);
    if (km_str_istarts(call->at->type, KM_STR("application/json")))
        km_media_answer(row_of(call), km_buf_view(&call->at->answer), &work_of(call)->said);
    km_call_one_part(call, km_buf_view(&call->at->answer));
    return call->parts ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static void usage(struct km_call *call, struct km_usage *ret)
{
    struct km_media_work *m = work_of(call);

    if (!m->ask.size.n || km_str_eq(m->ask.size, KM_STR("auto")))
        m->ask.size = km_str_c(m->said.size);
    if (!m->ask.quality.n || km_str_eq(m->ask.quality, KM_STR("auto")))
        m->ask.quality = km_str_c(m->said.quality);
    m->price = price_of(call, call->at->d);
    call->price = &m->price;
    *ret = km_media_usage(row_of(call), &m->ask, &m->price, &m->said);
    if (call->failed && !call->at->status)
        ret->known = false; /* given up: what was asked for, and may have been made */
}

static void doubt(struct km_call *call)
{
    work_of(call)->said.nonsense = true;
}

static const struct km_call_kind media_kind = {
    .explain = km_call_explain,
    .name = "media",
    .repeats = true,
    .refers = true,
    .work_name = work_name,
    .needs_body = true,
    .take = take,
    .prepare = prepare,
    .reserve = reserve,
    .attempt = attempt,
    .on_head = on_head,
    .on_body = on_body,
    .complete = complete,
    .usage = usage,
    .doubt = doubt,
    .on_piece = km_upload_piece,
    .on_room = km_upload_room,
    .is_spent = km_upload_poured,
};

static void begin(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    km_call_begin(visit, km_http_port(visit), &media_kind, match->route->data);
}

#define MEDIA(path, row)                                                                           \
    { "POST", "/v1" path, begin, KM_AUTH_CALL, &(row).api },                                       \
        { "POST", path, begin, KM_AUTH_CALL, &(row).api },                                         \
        { "POST", "/openai/v1" path, begin, KM_AUTH_CALL, &(row).api },                            \
        { "POST", "/openai/deployments/{model}" path, begin, KM_AUTH_CALL, &(row).api }

static const struct km_route rows[] = {
    MEDIA("/images/generations", km_media_generations),
    MEDIA("/images/edits", km_media_edits),
    MEDIA("/images/variations", km_media_variations),
    MEDIA("/audio/speech", km_media_speech),
    MEDIA("/audio/transcriptions", km_media_transcriptions),
    MEDIA("/audio/translations", km_media_translations),
    MEDIA("/moderations", km_media_moderations),
};

const struct km_route_rows km_media_routes = { rows, sizeof rows / sizeof rows[0] };
