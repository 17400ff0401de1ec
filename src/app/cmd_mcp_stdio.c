/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mcp_stdio.c - `kanmon mcp stdio`: the MCP endpoint for clients that start a process.
 *
 *     client ── input.c ──> bridge.c ── HTTP ──> the gateway, by its control socket or --url
 *            <── stdout ──            <── HTTP ──
 *
 * stdout carries messages and nothing else.  Where no gateway runs on this machine one is started
 * as `kanmon start` does it: it stays when this client goes, since others may be attached by then;
 * `kanmon stop` ends it.
 */
#include <unistd.h>

#include "app/bridge.h"
#include "app/client.h"
#include "app/cmd_mcp.h"
#include "app/input.h"
#include "base/log.h"
#include "sys/supervise.h"
#include "sys/unix.h"
#include "sys/blocking.h"

#define POOL_OPEN 256 /* connections to the gateway: a request under way has one */
#define CONNECT_MS 10000
#define START_MS 30000 /* until it listens, once it was started */
#define LOOK_MS 20

struct stdio {
    struct km_cli *cli;
    struct km_loop *loop;
    struct km_log *log;
    struct km_bridge *bridge;
    struct km_input *input;
    bool failed;
};

static void on_message(void *ctx, struct km_str line)
{
    struct stdio *s = ctx;

    fwrite(line.p, 1, line.n, stdout);
    putchar('\n');
    if (fflush(stdout) == 0)
        return;
    s->failed = true; /* the client is gone */
    km_loop_stop(s->loop);
}

static void on_over(void *ctx)
{
    struct stdio *s = ctx;

    km_loop_stop(s->loop);
}

static void on_line(void *ctx, struct km_str line)
{
    struct stdio *s = ctx;

    if (!s->failed)
        km_bridge_take(s->bridge, line);
}

static void on_long_line(void *ctx)
{
    struct stdio *s = ctx;

    km_bridge_refuse(s->bridge, "a line may have 10 MiB");
}

static void on_end(void *ctx, bool failed)
{
    struct stdio *s = ctx;

    s->failed |= failed;
    km_bridge_end(s->bridge);
}

static const struct km_input_events line_events = { on_line, on_long_line, on_end };

/* --- no gateway runs --- */

extern char **environ;

/* `kanmon start`, which says what it says on standard error.  What variables say it reads itself:
 * it has our environment and our folder. */
static int run_start(struct km_cli *cli, struct km_err *err)
{
    const char *dir = cli->state_dir[0] ? cli->state_dir : NULL; /* a variable it has itself */
    const char *argv[] = {
        "kanmon", "start", "--config", km_cli_config_file(cli), dir ? "--state-dir" : NULL,
        dir,      NULL
    };
    const struct km_child_spec spec = { .file = "/proc/self/exe",
                                        .argv = argv,
                                        .envp = (const char *const *)environ,
                                        .stdin_fd = -1,
                                        .stdout_fd = STDERR_FILENO,
                                        .stderr_fd = STDERR_FILENO };
    int status, r = km_run(&spec, &status, err);

    if (r == 0 && status != 0)
        return km_fail(err, KM_E_NOT_RUNNING,
                       "no gateway is running here (%s), and kanmon start --config %s failed",
                       cli->socket, km_cli_config_file(cli));
    return r;
}

/* Another client may have started it at the same moment: then it listens soon. */
static int start_gateway(void *ctx, struct km_err *err)
{
    struct stdio *s = ctx;
    int fd, r = run_start(s->cli, err);

    for (int waited = 0; r == 0 && waited < START_MS; waited += LOOK_MS) {
        if (km_unix_connect(s->cli->socket, &fd, err) == 0) {
            close(fd);
            return 0;
        }
        km_wait_ms(LOOK_MS);
    }
    return r < 0 ? r : km_fail(err, KM_E_NOT_RUNNING, "the gateway that was started is silent");
}

/* --- all of it --- */

static int run(struct stdio *s, const struct km_cli_way *way, struct km_str target,
               struct km_http_client *client, struct km_err *err)
{
    struct km_bridge_args args = { .loop = s->loop,
                                   .client = client,
                                   .origin = way->origin,
                                   .target = target,
                                   .head = km_buf_view(&way->head),
                                   .on_message = on_message,
                                   .start_gateway = way->tls ? NULL : start_gateway,
                                   .on_over = on_over,
                                   .log = s->log,
                                   .ctx = s };
    struct km_mailbox *mailbox = km_mailbox_new(s->loop, s, err);

    s->bridge = km_bridge_new(&args);
    s->input =
        mailbox && s->bridge ? km_input_new(STDIN_FILENO, mailbox, &line_events, s, err) : NULL;
    if (s->input) {
        km_loop_run(s->loop);
        km_input_stop(s->input);
        s->failed |= ferror(stdout) != 0;
    }
    km_mailbox_free(mailbox);
    km_bridge_free(s->bridge);
    if (!s->input)
        return err->code ? err->code : km_fail(err, KM_E_NOMEM, "out of memory");
    km_input_free(s->input);
    return 0;
}

int km_cmd_mcp_stdio(struct km_cli *cli)
{
    const struct km_pool_settings pool = { POOL_OPEN, 8, 15000, KM_BRIDGE_CALLS, CONNECT_MS };
    struct stdio s = { .cli = cli };
    struct km_cli_way way;
    struct km_err err = { 0 };
    char target[KM_MCP_TARGET_BYTES];
    int r = km_mcp_target(cli, target);

    if (r != 0)
        return r;
    r = km_cli_way(cli, &way, &err);
    if (r == 0) {
        s.loop = km_loop_new(&err);
        s.log = km_log_new(STDERR_FILENO, KM_LOG_INFO, KM_LOG_TEXT); /* NULL: nothing is said */
        struct km_dns *dns = s.loop ? km_dns_new(s.loop, &err) : NULL;
        struct km_dialer *dialer = dns ? km_dialer_new(s.loop, dns, km_connect_tunnel) : NULL;
        struct km_pool *p = dialer ? km_pool_new(s.loop, dialer, &pool) : NULL;
        struct km_http_client *client = p ? km_http_client_new(s.loop, p) : NULL;

        r = client ? run(&s, &way, km_str_c(target), client, &err)
                   : km_fail(&err, KM_E_NOMEM, "out of memory");
        km_http_client_free(client);
        km_pool_free(p);
        km_dialer_free(dialer);
        km_dns_free(dns);
        km_loop_free(s.loop);
        km_log_free(s.log);
        km_cli_way_done(&way);
    }
    if (r < 0)
        return km_cli_fail(cli, &err);
    return s.failed ? KM_EXIT_FAILURE : KM_EXIT_OK;
}
