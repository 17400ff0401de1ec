/* SPDX-License-Identifier: Apache-2.0 */
/* translate_media.c - images by address, for upstreams that fetch none themselves.
 *
 * The caller chooses the address, so this is the one place where a caller makes the gateway
 * connect somewhere.  It happens only where the configuration says so (fetch_remote_media), by
 * https, through the guarded dialer (which refuses every address that is not public, at the
 * moment of connecting), with few redirects, little time, and images only.  One image is fetched
 * after the other: a request with many waits longer, and nobody's bandwidth is multiplied.
 */
#include "gateway/llm/translate.h"

#include "base/encode.h"
#include "llm/fetch.h"

#define REDIRECTS_MOST 3
#define FETCH_MS 10000
#define IMAGE_BYTES ((size_t)20 << 20)
#define IMAGES_MOST 20

struct km_media_job {
    struct km_call *call;
    struct km_media *todo[IMAGES_MOST];
    size_t n, at;
    unsigned redirects;
    uint64_t until_ms; /* for the image under way */
    int64_t taken; /* of the budget of bodies */
    struct km_fetch *fetch;
};

static bool by_address(const struct km_part *p)
{
    return p->kind == KM_PART_IMAGE && km_url_is_http(p->media.url);
}

/* How many images are to be fetched; noted up to the bound. */
static size_t collect(struct km_part *list, struct km_media_job *job, size_t n)
{
    for (struct km_part *p = list; p; p = p->next) {
        n = collect(p->content, job, n);
        if (!by_address(p))
            continue;
        if (job && n < IMAGES_MOST)
            job->todo[n] = &p->media;
        n++;
    }
    return n;
}

static size_t collect_all(const struct km_chat *chat, struct km_media_job *job)
{
    size_t n = 0;

    for (struct km_message *m = chat->messages; m; m = m->next)
        n = collect(m->parts, job, n);
    return n;
}

static const char *image_type(struct km_str type)
{
    static const char *const types[] = { "image/jpeg", "image/png", "image/gif", "image/webp" };

    type = km_str_trim(km_str_sub(type, 0, km_str_chr(type, ';')));
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (km_str_ieq(type, km_str_c(types[i])))
            return types[i];
    return NULL;
}

static int start(struct km_media_job *job, struct km_str url, struct km_err *err);

static int keep_image(struct km_media_job *job, const struct km_response *response,
                      struct km_str body, struct km_err *err)
{
    struct km_media *m = job->todo[job->at];
    const char *type = image_type(km_header_get(&response->headers, KM_STR("content-type")));
    struct km_buf data KM_CLEANUP(km_buf_done) = KM_BUF(2 * IMAGE_BYTES);

    if (!type)
        return km_fail(err, KM_E_INVALID, "it is no image (JPEG, PNG, GIF, WebP)");
    if (!km_body_budget_take(&job->call->w->gw->bodies, (int64_t)(body.n / 3 * 4)))
        return km_fail(err, KM_E_OVERLOADED, "too much is being buffered right now");
    job->taken += (int64_t)(body.n / 3 * 4);
    km_buf_base64(&data, body);
    m->type = km_str_c(type);
    m->data = km_arena_str(&job->call->at->convert->request, km_buf_view(&data));
    m->url = KM_STR_NONE;
    return m->data.n ? 0 : km_fail(err, KM_E_INVALID, "it is empty or too large");
}

/* "https://other/x" or "/x" of the same host. */
static int follow(struct km_media_job *job, struct km_str location, struct km_err *err)
{
    struct km_arena *arena = &job->call->at->convert->request;
    struct km_str url = job->todo[job->at]->url;
    size_t host = km_str_find(url, KM_STR("://")) + 3;
    size_t path = host + km_str_chr(km_str_skip(url, host), '/');

    if (++job->redirects > REDIRECTS_MOST)
        return km_fail(err, KM_E_INVALID, "it was redirected more than %d times", REDIRECTS_MOST);
    if (km_str_starts(location, KM_STR("/")) && !km_str_starts(location, KM_STR("//")))
        location = km_arena_cat(arena, (struct km_str[]){ km_str_sub(url, 0, path), location }, 2);
    else
        location = km_arena_str(arena, location);
    job->todo[job->at]->url = location;
    return start(job, location, err);
}

static bool redirects(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* 1: the image is here; 0: on its way. */
static int take(struct km_media_job *job, const struct km_response *response, struct km_str body,
                struct km_err *err)
{
    int r;

    if (redirects(response->status))
        return follow(job, km_header_get(&response->headers, KM_STR("location")), err);
    if (response->status != 200)
        return km_fail(err, KM_E_INVALID, "its server answered %d", response->status);
    r = keep_image(job, response, body, err);
    return r == 0 ? 1 : r;
}

/* Which image, and why; anything but our own trouble is the request's fault. */
static int explain(const struct km_media_job *job, const struct km_err *why, struct km_err *err)
{
    bool ours = why->code == KM_E_OVERLOADED || why->code == KM_E_NOMEM;

    return km_fail_param(err, ours ? why->code : KM_E_INVALID, "messages",
                         "The image at '%.*s' could not be fetched: %s",
                         KM_STR_ARG(km_str_sub(job->todo[job->at]->url, 0, 200)), why->text);
}

static void failed(struct km_media_job *job, const struct km_err *why)
{
    struct km_err err = { 0 };

    explain(job, why, &err);
    km_call_fail(job->call, &err);
}

static int next(struct km_media_job *job, struct km_err *err)
{
    job->redirects = 0;
    job->until_ms = km_loop_now_ms(job->call->w->loop) + FETCH_MS;
    return start(job, job->todo[job->at]->url, err);
}

static void on_fetched(void *ctx, const struct km_response *response, struct km_str body,
                       const struct km_err *err)
{
    struct km_media_job *job = ctx;
    struct km_err why = { 0 };
    int r;

    job->fetch = NULL;
    if (err) {
        failed(job, err);
        return;
    }
    r = take(job, response, body, &why);
    if (r == 1) {
        job->at++;
        r = job->at < job->n ? next(job, &why) : 1;
    }
    if (r < 0)
        failed(job, &why);
    else if (r == 1)
        km_call_resume(job->call, 0);
}

static int start(struct km_media_job *job, struct km_str url, struct km_err *err)
{
    struct km_call *call = job->call;
    uint64_t now = km_loop_now_ms(call->w->loop);
    struct km_fetch_args args = { .loop = call->w->loop,
                                  .client = call->w->client,
                                  .tls = call->visit->view->snap->tls,
                                  .guard = KM_GUARD_PUBLIC,
                                  .method = KM_STR("GET"),
                                  .url = url,
                                  .head = KM_STR("Accept: image/*\r\n"
                                                 "User-Agent: kanmon/" KM_VERSION "\r\n"),
                                  .timeout_ms = job->until_ms > now ? job->until_ms - now : 1,
                                  .tries = 1,
                                  .max_bytes = IMAGE_BYTES };

    if (!km_str_istarts(url, KM_STR("https://")))
        return km_fail(err, KM_E_INVALID, "only https is fetched");
    job->fetch = km_fetch_start(&args, on_fetched, job, err);
    return job->fetch ? 0 : KM_E_INVALID;
}

struct km_media_job *km_media_job_free(struct km_media_job *job)
{
    if (!job)
        return NULL;
    km_fetch_cancel(job->fetch);
    km_body_budget_give(&job->call->w->gw->bodies, job->taken);
    return NULL;
}

#define AT(member) offsetof(struct km_media_settings, member)

static const struct km_setting media_rows[] = {
    { .name = "fetch_remote_media",
      .type = KM_SET_BOOL,
      .offset = AT(fetch),
      .help = "Fetch images that callers name by https address, for providers that do not fetch "
              "them: public addresses only, at most 3 redirects, 10 s and 20 MiB." },
    { 0 },
};

const struct km_settings_table km_media_settings_table = {
    .section = "kanmon_settings",
    .rows = media_rows,
    .size = sizeof(struct km_media_settings),
    .extra = SIZE_MAX,
};

int km_media_begin(struct km_call *call, struct km_chat *chat, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    size_t n = tr->codec->remote_images ? 0 : collect_all(chat, NULL);
    struct km_media_job *job;
    const struct km_media_settings *s;
    struct km_err why = { 0 };

    if (n == 0)
        return 0;
    s = km_config_get(call->visit->view->snap->config, &km_media_settings_table);
    if (!s->fetch)
        return km_fail_param(err, KM_E_UNSUPPORTED, "messages",
                             "%s does not fetch images by itself. Send the image as a data: URL, "
                             "or set kanmon_settings.fetch_remote_media: true to have the gateway "
                             "fetch it.",
                             tr->codec->name);
    if (n > IMAGES_MOST)
        return km_fail_param(err, KM_E_INVALID, "messages",
                             "At most %d images by address are fetched for a request.",
                             IMAGES_MOST);
    job = tr->media = km_arena_zalloc(&call->arena, sizeof *job);
    if (!job)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    job->call = call;
    job->n = collect_all(chat, job);
    return next(job, &why) == 0 ? KM_E_AGAIN : explain(job, &why, err);
}
