/* SPDX-License-Identifier: Apache-2.0 */
/* open.c - which era a server is of, and the handshake where it has one (remote.h).
 *
 *     what a link, a server and the clock say ──> an event ──> era.c ──> a verdict ──> carried out
 *
 * Streamable HTTP that refuses both questions as a server of HTTP with SSE does is asked anew over
 * that.  A stdio server is asked with patience: as long as it has not even read the question it is
 * starting (a first start may download for minutes), and only what it has read can be met with
 * silence.
 *
 * What was found is remembered with the upstream, and in the store with its catalogue, so the
 * question is asked once.  One that has changed since refuses server/discover, which is asked
 * before its lists and from time to time, and is asked anew.
 */
#include <stdio.h>

#include "mcp/asker.h"
#include "mcp/desk.h"
#include "mcp/stdio_words.h"

#define UNSUPPORTED_VERSION (-32022)
#define INTRODUCED_MS 2000 /* until it has taken notifications/initialized: then it is asked */
#define QUIET_MS 5000 /* where silence_timeout says nothing */
#define LOOK_MS 200 /* between two looks whether it has read that */

static void step(struct km_remote *p, enum km_era_event event, const struct km_err *why);

static bool stdio(const struct km_remote *p)
{
    return p->upstream->transport == KM_MCP_STDIO;
}

void km_remote_turn_away(struct km_remote *p, const struct km_err *err, bool heard)
{
    struct km_mcp_status now;

    km_mcp_status(p->upstream, &now);
    p->unproved = true;
    if (now.state == KM_MCP_STARTING || (heard && now.state == KM_MCP_DOWN))
        km_desk_state(p->desk, p->upstream, KM_MCP_STOPPED,
                      "nobody who may use it has asked for it yet");
    km_remote_over(p, err);
}

/* It answers, but not to what this asker sends with its requests.  Where others send nothing of
 * their own, how the server is they find out. */
static bool is_only_askers(const struct km_remote *p, const struct km_err *err)
{
    return !p->upstream->personal && km_remote_of_asker(p) && err->code != KM_E_UPSTREAM_CONNECT &&
           err->code != KM_E_UPSTREAM_TIMEOUT;
}

void km_remote_fail(struct km_remote *p, const struct km_err *err)
{
    if (is_only_askers(p, err)) {
        km_remote_turn_away(p, err, false);
        return;
    }
    km_desk_failed(p->desk, p->upstream, err->text);
    km_remote_over(p, err);
}

static uint64_t patience(const struct km_remote *p)
{
    const struct km_mcp_entry *e = p->upstream->entry;
    bool known = km_mcp_live_revision(p->upstream->live) != NULL;

    return (uint64_t)(stdio(p) && !known ? e->install_ms : e->start_ms);
}

/* A question was sent: how long is its answer waited for? */
static void await(struct km_remote *p)
{
    p->asked_ms = km_loop_now_ms(p->desk->loop);
    p->until_ms = p->asked_ms + patience(p);
    km_timer_start(&p->timer, stdio(p) ? LOOK_MS : patience(p));
}

static void send_opening(struct km_remote *p, uint64_t id, struct km_str method,
                         struct km_str params)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1024 * 1024);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_link_request q = { .id = id, .method = method, .text = &text };

    km_remote_message(p, id, method, params, KM_STR_NONE, &text, NULL);
    km_remote_head(p, method, KM_STR_NONE, &head);
    q.head = km_buf_view(&head);
    p->wire->ops->send(p->wire, &q);
}

static void probe(struct km_remote *p)
{
    p->revision = km_mcp_revision_latest(KM_MCP_STATELESS);
    km_link_agreed(p->wire, p->revision);
    p->probe_id = ++p->next_id;
    send_opening(p, p->probe_id, KM_STR("server/discover"), KM_STR_NONE);
    await(p);
}

/* The newest revision that is spoken with it, if that has a handshake; empty: all are tried. */
static struct km_str held_to(const struct km_remote *p)
{
    const struct km_mcp_revision *most = km_mcp_revision_find(p->upstream->entry->spec_version);

    return most && most->era == KM_MCP_HANDSHAKE ? most->name : KM_STR_NONE;
}

void km_remote_greeting(const struct km_remote *p, struct km_buf *out)
{
    struct km_str version = held_to(p);

    if (!version.n)
        version = km_mcp_revision_latest(KM_MCP_HANDSHAKE)->name;
    km_buf_str(out, KM_STR("{\"protocolVersion\":"));
    km_buf_json(out, version);
    km_buf_str(out, KM_STR(",\"capabilities\":"));
    km_buf_str(out, p->asker.capabilities);
    km_buf_str(out, KM_STR(",\"clientInfo\":" KM_MCP_CLIENT_INFO "}"));
}

static void greet(struct km_remote *p)
{
    struct km_buf params KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1024 * 1024);

    p->revision = km_mcp_revision_latest(KM_MCP_HANDSHAKE);
    km_link_agreed(p->wire, NULL);
    p->opening_id = ++p->next_id;
    km_remote_greeting(p, &params);
    send_opening(p, p->opening_id, KM_STR("initialize"), km_buf_view(&params));
    await(p);
}

static void take_jobs(struct km_remote *p)
{
    const bool retired = p->state == KM_REMOTE_OVER; /* meanwhile: it is there for what waits */

    km_timer_stop(&p->timer);
    p->introducing = false;
    p->state = KM_REMOTE_READY;
    if (!retired)
        km_subscriptions_renew(p);
    km_remote_run(p);
    if (retired)
        km_remote_retire(p);
}

/* What is spoken where clients can be asked says nothing of the others. */
static void remember(struct km_remote *p, const struct km_mcp_revision *revision)
{
    struct km_mcp_live *live = p->upstream->live;

    if (p->asked && revision->era == KM_MCP_HANDSHAKE && !p->sse)
        km_mcp_live_guess(live, revision);
    else
        km_mcp_live_speaks(live, revision, p->sse);
    if (p->era.lacks != KM_ERA_ANY)
        km_mcp_live_lack(live,
                         p->era.lacks == KM_ERA_OF_STATELESS ? KM_MCP_STATELESS : KM_MCP_HANDSHAKE);
}

static bool has_roots(const struct km_remote *p)
{
    static const struct km_str name = { "roots", 5 };
    struct km_json_span span = { 0 };

    return !p->upstream->builtin &&
           km_json_spans(p->asker.capabilities, &name, 1, &span, NULL, NULL) == 0 &&
           span.type == KM_JSON_OBJECT;
}

/* A server that wants the client's roots asks for them when the handshake is over, and works with
 * others until it has them: what is behind that in its input is answered after it has asked. */
static void ask_behind(struct km_remote *p)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    p->introduced_id = ++p->next_id;
    km_remote_message(p, p->introduced_id, KM_STR("ping"), KM_STR_NONE, KM_STR_NONE, &text, NULL);
    km_remote_transmit(p, p->introduced_id, KM_STR("ping"), &text, KM_STR_NONE, NULL);
}

/* A server may show more once it was told that the handshake is over (tools that need something of
 * the client): a list that arrived before would be without them. */
static void ready(struct km_remote *p, const struct km_mcp_revision *revision)
{
    km_timer_stop(&p->timer);
    p->opening_id = p->probe_id = 0;
    p->revision = revision;
    km_link_agreed(p->wire, revision);
    if (!p->remembered) {
        remember(p, revision);
        km_desk_ok(p->desk, p->upstream);
    }
    p->introducing =
        revision->era == KM_MCP_HANDSHAKE && (p->upstream->origin || (stdio(p) && has_roots(p)));
    if (revision->era == KM_MCP_HANDSHAKE)
        km_remote_notify(p, KM_STR("notifications/initialized"), KM_STR_NONE);
    if (p->introducing && stdio(p))
        ask_behind(p);
    if (p->introducing)
        km_timer_start(&p->timer, INTRODUCED_MS);
    else
        take_jobs(p);
}

void km_remote_introduced(struct km_remote *p)
{
    if (p->introducing)
        take_jobs(p);
}

void km_remote_doubt(struct km_remote *p, struct km_str method)
{
    if (!p->remembered || !km_str_eq(method, KM_STR("server/discover")))
        return;
    km_mcp_live_speaks(p->upstream->live, NULL, p->sse);
    km_remote_retire(p);
}

/* --- links --- */

static int make_link(struct km_remote *p, struct km_err *err)
{
    struct km_mcp_desk *d = p->desk;
    struct km_link_args args = { .loop = d->loop,
                                 .mailbox = d->mailbox,
                                 .client = d->client,
                                 .upstream = p->upstream,
                                 .asker = &p->asker,
                                 .auth = p->auth,
                                 .events = &km_remote_events,
                                 .ctx = p };
    char log[1024], work[1024];

    args.log_path = km_mcp_upstream_log(d->ups, p->upstream, log, sizeof log) ? log : NULL;
    args.log_writer = d->ups->log_writer;
    snprintf(work, sizeof work, "%s/mcp", d->ups->state_dir);
    args.work_dir = work;
    args.cgroup = d->ups->cgroup;
    args.workers = d->ups->ndesks;
    args.network = d->ups->network;
    args.log = d->ups->log;
    args.metrics = d->ups->metrics;
    args.worker = d->index;
    args.living = &d->ups->living;
    args.most = KM_MCP_CHILDREN_MOST;
    if (stdio(p) && !p->upstream->builtin)
        args.delay_ms = km_desk_spawn_delay(d->ups);
    if (p->upstream->builtin)
        p->wire = km_link_builtin_new(&args, err);
    else if (p->upstream->openapi)
        p->wire = km_link_openapi_new(&args, err);
    else if (stdio(p))
        p->wire = km_link_stdio_new(&args, err);
    else
        p->wire = p->sse ? km_link_sse_new(&args, err) : km_link_http_new(&args, err);
    if (!p->wire)
        return err->code;
    p->wire->ops->open(p->wire);
    return 0;
}

static void on_relink(void *ctx)
{
    struct km_remote *p = ctx;
    struct km_err err = { 0 };

    if (p->wire)
        p->wire = p->wire->ops->free(p->wire);
    if (make_link(p, &err) < 0)
        km_remote_fail(p, &err);
}

/* The link is not freed from inside its own event; what it says until then counts for nothing. */
static void relink(struct km_remote *p)
{
    km_timer_stop(&p->timer);
    p->opening_id = p->probe_id = 0;
    km_deferred_queue(&p->relink);
}

int km_remote_open(struct km_remote *p, struct km_err *err)
{
    struct km_mcp_live *live = p->upstream->live;
    bool known = km_mcp_live_revision(live) != NULL;
    struct km_mcp_status now;

    km_deferred_init(&p->relink, p->desk->loop, on_relink, p);
    p->asked = km_asker_asked(p->upstream, &p->asker);
    p->sse = p->upstream->transport == KM_MCP_SSE || km_mcp_live_sse(live);
    km_mcp_status(p->upstream, &now);
    /* One that is down stays so while it is tried again: since when and why are what is asked. */
    if (now.state != KM_MCP_READY && now.state != KM_MCP_DEGRADED && now.state != KM_MCP_DOWN)
        km_desk_state(
            p->desk, p->upstream,
            !known && km_stdio_installs(p->upstream) ? KM_MCP_INSTALLING : KM_MCP_STARTING, "");
    return make_link(p, err);
}

/* --- deciding --- */

static enum km_era_of of(const struct km_mcp_revision *revision)
{
    if (!revision)
        return KM_ERA_ANY;
    return revision->era == KM_MCP_HANDSHAKE ? KM_ERA_OF_HANDSHAKE : KM_ERA_OF_STATELESS;
}

void km_remote_up(struct km_remote *p)
{
    struct km_mcp_live *live = p->upstream->live;
    struct km_era_facts facts = {
        .held = held_to(p).n || p->sse || p->upstream->builtin,
        .known = of(km_mcp_live_sure(live)),
        .asked = p->asked && !km_mcp_live_lacks(live, KM_MCP_HANDSHAKE),
    };

    km_era_init(&p->era, &facts);
    step(p, KM_ERA_UP, NULL);
}

/* Would a server of HTTP+SSE answer a POST so? */
static bool looks_like_sse(const struct km_remote *p, const struct km_link_failure *f)
{
    return !stdio(p) && !p->sse &&
           (f->status == 400 || f->status == 404 || f->status == 405 || f->status == 415 ||
            f->status == 406);
}

static void too_late(struct km_remote *p)
{
    struct km_err err;

    km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "'%.*s' did not answer the handshake within %llu s",
            KM_STR_ARG(p->upstream->name), (unsigned long long)(patience(p) / 1000));
    km_remote_fail(p, &err);
}

/* why: of a refusal. */
static void step(struct km_remote *p, enum km_era_event event, const struct km_err *why)
{
    static const struct km_err silent = { .code = KM_E_UPSTREAM_PROTOCOL, .text = "it is silent" };

    switch (km_era_step(&p->era, event)) {
    case KM_ERA_ASK_DISCOVER:
        probe(p);
        break;
    case KM_ERA_ASK_INITIALIZE:
        greet(p);
        break;
    case KM_ERA_USE_STATELESS:
        p->remembered = event == KM_ERA_UP;
        ready(p, km_mcp_revision_latest(KM_MCP_STATELESS));
        break;
    case KM_ERA_USE_HANDSHAKE:
        ready(p, p->revision);
        break;
    case KM_ERA_TRY_SSE:
        p->sse = true;
        relink(p);
        break;
    case KM_ERA_REFUSED:
        km_remote_fail(p, why ? why : &silent);
        break;
    case KM_ERA_TOO_LATE:
        too_late(p);
        break;
    case KM_ERA_SETTLE:
        p->asked_ms = km_loop_now_ms(p->desk->loop);
        break;
    case KM_ERA_WAIT:
    case KM_ERA_VERDICTS_N:
        break;
    }
}

/* A server of the stateless era that refuses a version names those it takes (-32022): is ours among
 * them? */
static bool names_ours(const struct km_json *error)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, version;
    int64_t code = 0;
    bool ours = false;

    (void)km_json_i64(km_json_get(error, "code"), &code);
    for (km_json_iter(km_json_get(km_json_get(error, "data"), "supported"), &it);
         code == UNSUPPORTED_VERSION && km_json_next(&it, &key, &item);)
        if (km_json_string(item, &version))
            ours = ours || km_str_eq(version, km_mcp_revision_latest(KM_MCP_STATELESS)->name);
    return ours;
}

/* Then it is asked once more, for what it refused may have been a passing state. */
static bool refused_ours(const struct km_link_failure *f)
{
    const struct km_json *root = NULL;
    struct km_arena arena;
    bool ours;

    km_arena_init(&arena, (size_t)1024 * 1024, NULL);
    if (f->status == 400 && km_json_parse_answer(&arena, f->body, &root, NULL) < 0)
        root = NULL;
    ours = names_ours(km_json_get(root, "error"));
    km_arena_done(&arena);
    return ours;
}

void km_remote_open_failed(struct km_remote *p, uint64_t id, const struct km_link_failure *f)
{
    const bool discover = id == p->probe_id, odd = looks_like_sse(p, f);

    *(discover ? &p->probe_id : &p->opening_id) = 0;
    if (f->credentials && km_remote_of_asker(p))
        km_remote_turn_away(p, f->err, f->status != 0);
    else if (f->status == 401 || f->status == 403)
        km_remote_fail(p, f->err);
    else if (f->err->code != KM_E_UPSTREAM_STATUS && !stdio(p) && !p->sse)
        km_remote_fail(p,
                       f->err); /* it cannot be reached at all: another question changes nothing */
    else if (refused_ours(f))
        step(p, discover ? KM_ERA_DISCOVER_AGAIN : KM_ERA_INITIALIZE_NEWER, f->err);
    else if (discover)
        step(p, odd ? KM_ERA_DISCOVER_ODD : KM_ERA_DISCOVER_NO, f->err);
    else
        step(p, odd ? KM_ERA_INITIALIZE_ODD : KM_ERA_INITIALIZE_NO, f->err);
}

/* It is silent only once it has read what it was asked. */
static void look(struct km_remote *p)
{
    const uint64_t now = km_loop_now_ms(p->desk->loop);
    const int64_t quiet = p->upstream->entry->silence_ms;

    if (now >= p->until_ms) {
        step(p, KM_ERA_LATE, NULL);
        return;
    }
    km_timer_start(&p->timer, LOOK_MS);
    if (km_link_behind(p->wire)) {
        p->asked_ms = now;
    } else if (stdio(p) && now - p->asked_ms >= (quiet ? (uint64_t)quiet : QUIET_MS)) {
        p->asked_ms = now;
        step(p, KM_ERA_QUIET, NULL);
    }
}

void km_remote_open_timeout(struct km_remote *p)
{
    if (p->introducing)
        take_jobs(p);
    else if (p->state == KM_REMOTE_READY)
        km_hear_hurry(p);
    else
        look(p);
}

/* Does supportedVersions of server/discover name our revision? */
static bool supports(const struct km_json *result, const struct km_mcp_revision *revision)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, version;

    for (km_json_iter(km_json_get(result, "supportedVersions"), &it);
         km_json_next(&it, &key, &item);)
        if (km_json_string(item, &version) && km_str_eq(version, revision->name))
            return true;
    return false;
}

static void on_discovered(struct km_remote *p, const struct km_json *result,
                          const struct km_json *error)
{
    struct km_str why = KM_STR_NONE;
    struct km_err err;

    p->probe_id = 0;
    (void)km_json_string(km_json_get(error, "message"), &why);
    km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "'%.*s' refused server/discover: %.*s",
            KM_STR_ARG(p->upstream->name), KM_STR_ARG(km_str_sub(why, 0, 200)));
    if (result && supports(result, km_mcp_revision_latest(KM_MCP_STATELESS)))
        step(p, KM_ERA_DISCOVER_YES, NULL);
    else
        step(p, names_ours(error) ? KM_ERA_DISCOVER_AGAIN : KM_ERA_DISCOVER_NO, &err);
}

static void on_greeted(struct km_remote *p, const struct km_json *result,
                       const struct km_json *error)
{
    const struct km_mcp_revision *revision;
    struct km_str version = KM_STR_NONE, why = KM_STR_NONE;
    struct km_err err;

    p->opening_id = 0;
    (void)km_json_string(km_json_get(result, "protocolVersion"), &version);
    (void)km_json_string(km_json_get(error, "message"), &why);
    revision = km_mcp_revision_find(version);
    if (revision && revision->era == KM_MCP_HANDSHAKE) {
        p->revision = revision;
        step(p, KM_ERA_INITIALIZE_YES, NULL);
        return;
    }
    if (version.n)
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "'%.*s' speaks revision %.*s, which kanmon does not",
                KM_STR_ARG(p->upstream->name), KM_STR_ARG(version));
    else
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "'%.*s' refused the handshake: %.*s",
                KM_STR_ARG(p->upstream->name), KM_STR_ARG(km_str_sub(why, 0, 200)));
    step(p, names_ours(error) ? KM_ERA_INITIALIZE_NEWER : KM_ERA_INITIALIZE_NO, &err);
}

void km_remote_opened(struct km_remote *p, uint64_t id, const struct km_rpc_message *m)
{
    struct km_buf hello = KM_BUF(p->hello.max);

    if (m->result) {
        km_json_write(m->result, &hello);
        km_buf_done(&p->hello);
        p->hello = hello;
    }
    if (id == p->probe_id)
        on_discovered(p, m->result, m->error);
    else
        on_greeted(p, m->result, m->error);
}
