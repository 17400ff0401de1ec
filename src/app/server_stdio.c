/* SPDX-License-Identifier: Apache-2.0 */
/* server_stdio.c - see server_stdio.h.
 *
 *     client ── input.c ──> server/peer.c ──> the tools
 *            <── stdout ──  put            <──
 *
 * One loop, one client, one server; no store and no keys.  A message lives in an arena of its own
 * until it is answered, so several may be under way, and answers come in the order they are ready.
 * What runs is said on standard error, without its values.
 *
 *     input ends ── LEAVES_MS ──> what still runs is cancelled ── CANCELS_MS ──> it ends
 *     TERM, INT ──────────────────────^
 *
 * A client leaves by closing our input, and so does a script that only wanted its answers: what is
 * quick is answered, what is not is nobody's any more.
 */
#include "app/server_stdio.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "app/input.h"
#include "base/log.h"
#include "mcp/server/peer.h"
#include "sys/signals.h"

#define MESSAGES 256 /* under way; more are refused */
#define LEAVES_MS 1000 /* from the end of the input until what runs is cancelled */
#define CANCELS_MS 2000 /* until what does not end of that is left behind */

struct stdio {
    struct km_loop *loop;
    struct km_mailbox *mailbox;
    struct km_input *lines;
    struct km_log *log;
    struct km_mcp_server *server;
    struct km_mcp_peer *peer;
    struct km_signal *term, *interrupt;
    struct km_timer timer; /* once it has ended */
    bool ended; /* no more will come */
    bool cancelled; /* what ran was */
};

static void put_line(struct km_str line)
{
    fwrite(line.p, 1, line.n, stdout);
    putchar('\n');
    fflush(stdout);
}

static void on_put(void *ctx, uint64_t about, struct km_str text)
{
    (void)ctx;
    (void)about;
    put_line(text);
}

/* There is no store to write the record to: it goes to standard error. */
static void on_audit(void *ctx, const struct km_audit *record)
{
    const struct stdio *s = ctx;

    km_log_msg(s->log, KM_LOG_INFO, "audit", "%.*s %.*s", KM_STR_ARG(record->action),
               KM_STR_ARG(record->detail));
}

static void on_idle(void *ctx)
{
    struct stdio *s = ctx;

    if (s->ended)
        km_loop_stop(s->loop);
}

static void on_line(void *ctx, struct km_str line)
{
    const struct km_mcp_peer_message message = { .text = line, .principal = KM_STR("stdio") };
    struct stdio *s = ctx;

    if (km_str_trim(line).n)
        km_mcp_peer_take(s->peer, &message);
}

static void on_long_line(void *ctx)
{
    (void)ctx;
    put_line(KM_STR("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"
                    "\"a line may have 10 MiB\"}}"));
}

/* The time is up: of waiting, or of cancelling. */
static void on_time(void *ctx)
{
    struct stdio *s = ctx;

    if (s->cancelled) {
        km_loop_stop(s->loop);
        return;
    }
    s->cancelled = true;
    km_mcp_peer_drop_all(s->peer);
    km_timer_start(&s->timer, CANCELS_MS);
}

static void leave(struct stdio *s, uint64_t after_ms)
{
    s->ended = true;
    km_mcp_peer_end(s->peer);
    if (km_mcp_peer_is_idle(s->peer))
        km_loop_stop(s->loop);
    else
        km_timer_start(&s->timer, after_ms);
}

static void on_end(void *ctx, bool failed)
{
    (void)failed;
    leave(ctx, LEAVES_MS);
}

static void on_signal(void *ctx, int signum)
{
    struct stdio *s = ctx;

    (void)signum;
    if (!s->cancelled)
        leave(s, 0);
}

static const struct km_input_events line_events = { on_line, on_long_line, on_end };

static void tell(void *ctx, struct km_str method, struct km_str params)
{
    struct stdio *s = ctx;

    if (s->peer)
        km_mcp_peer_tell(s->peer, method, params);
}

static int serve(struct stdio *s, const struct km_server_stdio_args *args, struct km_err *err)
{
    struct km_mcp_builtin_args open = {
        .loop = s->loop, .log = s->log, .workers = 1, .tell = tell, .ctx = s
    };
    struct km_mcp_peer_args peer = { .loop = s->loop,
                                     .calls_most = MESSAGES,
                                     .put = on_put,
                                     .audit = on_audit,
                                     .idle = on_idle,
                                     .ctx = s };

    peer.server = s->server = args->open(args->ctx, &open, err);
    if (!s->server)
        return err->code;
    s->peer = km_mcp_peer_new(&peer);
    if (!s->peer)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    s->lines = km_input_new(STDIN_FILENO, s->mailbox, &line_events, s, err);
    s->term = km_signal_new(s->loop, SIGTERM, on_signal, s, err);
    s->interrupt = km_signal_new(s->loop, SIGINT, on_signal, s, err);
    if (!s->lines || !s->term || !s->interrupt)
        return KM_E_SYSTEM;
    km_loop_run(s->loop);
    km_timer_stop(&s->timer);
    km_input_stop(s->lines);
    return 0;
}

int km_server_stdio(const struct km_server_stdio_args *args, struct km_err *err)
{
    struct stdio s = { .loop = km_loop_new(err) };
    int r = s.loop ? 0 : KM_E_NOMEM;

    s.log = km_log_new(STDERR_FILENO, KM_LOG_INFO, KM_LOG_TEXT);
    if (r == 0) {
        km_timer_init(&s.timer, s.loop, on_time, &s);
        s.mailbox = km_mailbox_new(s.loop, &s, err);
        r = s.mailbox ? serve(&s, args, err) : KM_E_NOMEM;
    }
    if (s.mailbox)
        km_mailbox_free(s.mailbox);
    km_input_free(s.lines);
    km_mcp_peer_free(s.peer);
    km_signal_free(s.term);
    km_signal_free(s.interrupt);
    if (s.server)
        args->close(s.server);
    km_log_free(s.log);
    if (s.loop)
        km_loop_free(s.loop);
    return r;
}
