/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_doctor.c - `kanmon doctor`: looks at everything that can be wrong and says it all at once.
 *
 *     the configuration, as `config check` loads it ─┐
 *     the running gateway, by its control socket ────┼─> struct km_doctor ─> each row of
 *     this machine ──────────────────────────────────┘   the table of checks ─> lines, exit code
 *
 * It only looks: nothing is made, started, sent to a model or paid for.  Without a gateway, or with
 * a configuration that does not load, the checks that need it say so and the others go on.
 */
#include "app/cmd_doctor.h"

#include <stdarg.h>

#include "app/doctor.h"
#include "app/find.h"
#include "config/config.h"
#include "http/json_out.h"
#include "mcp/safety/scan.h"

#define TEXT_BYTES 4096
#define JSON_BYTES ((size_t)4 << 20)

static const char *const levels[KM_DOCTOR_LEVELS] = { "ok", "note", "skipped", "warning",
                                                      "problem" };

/* --- saying --- */

static void say_text(struct km_doctor *d, enum km_doctor_level level, const char *todo,
                     const char *text)
{
    static const char *const colours[KM_DOCTOR_LEVELS] = { "\033[32m", "", "\033[2m", "\033[33m",
                                                           "\033[31m" };
    const bool colour = d->cli->colour && *colours[level];

    if (level == KM_DOCTOR_OK && km_cli_flag(d->cli, "quiet"))
        return;
    printf("%s%-8s%s %-15s %s\n", colour ? colours[level] : "", levels[level],
           colour ? "\033[0m" : "", d->check->name, text);
    if (todo)
        printf("%-24s -> %s\n", "", todo);
}

void km_doctor_say(struct km_doctor *d, enum km_doctor_level level, const char *todo,
                   const char *fmt, ...)
{
    struct km_buf said KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(6 * TEXT_BYTES);
    const char *line;
    va_list ap;

    va_start(ap, fmt);
    km_buf_vprintf(&said, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < said.n; i++) /* a server's own words may be in it */
        if (said.p[i] == '\n' || said.p[i] == '\t')
            said.p[i] = ' ';
    km_scan_line(&text, km_buf_view(&said));
    line = km_buf_failed(&said) ? "(too long to be shown)" : km_buf_cstr(&text);
    d->said[level]++;
    if (!d->json) {
        say_text(d, level, todo, line);
        return;
    }
    km_out_open(d->json, '{');
    km_out_member(d->json, "check", km_str_c(d->check->name));
    km_out_member(d->json, "state", km_str_c(levels[level]));
    km_out_member(d->json, "text", km_str_c(line));
    if (todo)
        km_out_member(d->json, "todo", km_str_c(todo));
    km_out_close(d->json, '}');
}

/* --- gathering --- */

static void load(struct km_doctor *d)
{
    struct km_running run;

    if (km_cli_judge_file(d->cli, d->file, d->diags, &d->config, &d->snap, &d->config_err) < 0)
        d->snap = NULL;
    /* Who it is that does not answer says the check of the gateway. */
    (void)!km_find_running(d->cli, &run, &d->gateway_err);
    snprintf(d->state_dir, sizeof d->state_dir, "%s", run.dir);
}

/* The answer's JSON, or NULL with err. */
static const struct km_json *ask(struct km_doctor *d, const char *target, struct km_answer *a,
                                 struct km_err *err)
{
    km_answer_init(a);
    return km_cli_call(d->cli, "GET", target, KM_STR_NONE, a, err) == 0 ? a->json : NULL;
}

static void ask_gateway(struct km_doctor *d, struct km_answer answers[3])
{
    d->status = ask(d, "/kanmon/status", &answers[0], &d->gateway_err);
    d->servers = ask(d, "/kanmon/mcp/servers", &answers[1], &d->gateway_err);
    d->pins = ask(d, "/kanmon/mcp/pins", &answers[2], &d->gateway_err);
    d->running = d->status && d->servers && d->pins;
}

/* --- walking --- */

static void run(struct km_doctor *d, const struct km_doctor_check *c)
{
    d->check = c;
    if (c->needs == KM_DOCTOR_CONFIG && !d->snap)
        km_doctor_say(d, KM_DOCTOR_SKIPPED, NULL, "the configuration does not load");
    else if (c->needs == KM_DOCTOR_GATEWAY && !d->running)
        km_doctor_say(d, KM_DOCTOR_SKIPPED, NULL, "only a running gateway knows");
    else
        c->run(d);
}

static void run_all(struct km_doctor *d)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(JSON_BYTES);
    struct km_json_out json;

    if (km_cli_flag(d->cli, "json")) {
        km_json_out_init(&json, &text);
        km_out_open(&json, '{');
        km_out_member(&json, "config", km_str_c(d->file));
        km_out_key(&json, "running");
        km_out_bool(&json, d->running);
        km_out_key(&json, "checks");
        km_out_open(&json, '[');
        d->json = &json;
    }
    for (const struct km_doctor_check *c = km_doctor_checks; c->name; c++)
        run(d, c);
    if (d->json) {
        km_out_close(&json, ']');
        km_out_key(&json, "problems");
        km_out_i64(&json, (int64_t)d->said[KM_DOCTOR_BAD]);
        km_out_key(&json, "warnings");
        km_out_i64(&json, (int64_t)d->said[KM_DOCTOR_WARN]);
        km_out_close(&json, '}');
        printf("%.*s\n", KM_STR_ARG(km_buf_view(&text)));
        d->json = NULL;
    }
}

int km_cmd_doctor(struct km_cli *cli)
{
    struct km_doctor d = { .cli = cli, .file = km_cli_config_file(cli), .diags = km_diags_new() };
    struct km_answer answers[3];
    size_t wrong;

    if (!d.diags)
        return KM_EXIT_FAILURE;
    load(&d);
    ask_gateway(&d, answers);
    run_all(&d);
    wrong = d.said[KM_DOCTOR_BAD] + (km_cli_flag(cli, "strict") ? d.said[KM_DOCTOR_WARN] : 0);
    if (!km_cli_flag(cli, "json") && !km_cli_flag(cli, "quiet"))
        fprintf(stderr, "%zu problem%s, %zu warning%s\n", d.said[KM_DOCTOR_BAD],
                d.said[KM_DOCTOR_BAD] == 1 ? "" : "s", d.said[KM_DOCTOR_WARN],
                d.said[KM_DOCTOR_WARN] == 1 ? "" : "s");
    for (size_t i = 0; i < 3; i++)
        km_answer_done(&answers[i]);
    km_snapshot_unref(d.snap);
    km_config_unref(d.config);
    km_diags_free(d.diags);
    return wrong ? KM_EXIT_FOUND : KM_EXIT_OK;
}
