/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mcp_logs.c - `kanmon mcp logs`: what stdio servers wrote to their standard error.
 *
 *     server ── ?bytes= ──> its end  ┐
 *            ── ?after= ──> what came ┴─> lines ── since, grep ──> by their time ──> "name | line"
 *
 * The gateway begins each line with its time, so the lines of several servers are put in order by
 * that.  --follow asks each server again once a second (watch.h); a line that has no end yet is
 * held until it has one, or nothing came for a round.
 */
#include "app/cmd_mcp.h"

#include <regex.h>
#include <stdlib.h>

#include "app/say.h"
#include "app/watch.h"
#include "base/time.h"
#include "http/message.h"
#include "mcp/safety/scan.h"

#define SERVERS_MOST 256
#define TARGET_BYTES 1024
#define END_BYTES 16384 /* of one log, when nothing is said */
#define ALL_BYTES (1024 * 1024) /* of one log, when lines of it are looked for */
#define HELD_BYTES ((size_t)4 * 1024 * 1024)
#define TEXT_BYTES ((size_t)1024 * 1024)

struct feed {
    char name[256];
    char next[48]; /* where to go on; empty: nothing was read yet */
    struct km_buf held; /* whole lines that are not printed yet, and one that has no end */
    bool quiet; /* nothing came in the last round */
};

struct line {
    const struct feed *feed;
    struct km_str text;
};

struct logs {
    struct km_watch watch;
    struct km_cli *cli;
    struct feed *feeds;
    size_t n, width; /* of the longest name */
    uint64_t bytes;
    char since[KM_TIME_ISO_LEN + 1]; /* empty: whenever */
    regex_t grep;
    bool greps, follows, named; /* named: each line says whose it is */
};

/* --- lines --- */

static bool is_wanted(const struct logs *l, struct km_str line)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);

    if (l->since[0] && line.n >= KM_TIME_ISO_LEN && line.p[4] == '-' &&
        memcmp(line.p, l->since, KM_TIME_ISO_LEN) < 0)
        return false;
    if (!l->greps)
        return true;
    km_buf_str(&text, line);
    return !km_buf_failed(&text) && regexec(&l->grep, km_buf_cstr(&text), 0, NULL, 0) == 0;
}

static void print_json(const struct line *line)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * TEXT_BYTES);

    km_buf_str(&b, KM_STR("{\"server\":"));
    km_buf_json(&b, km_str_c(line->feed->name));
    km_buf_str(&b, KM_STR(",\"line\":"));
    km_buf_json(&b, line->text);
    km_buf_byte(&b, '}');
    km_say_json(km_buf_view(&b));
}

static void print_line(const struct logs *l, const struct line *line)
{
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(8 * TEXT_BYTES);
    struct km_str rest = line->text, part;

    if (km_cli_flag(l->cli, "json")) {
        print_json(line);
        return;
    }
    while (km_str_split(&rest, '\t', &part)) {
        km_scan_plain(&plain, part);
        km_buf_str(&plain, rest.n ? KM_STR("\t") : KM_STR_NONE);
    }
    if (l->named)
        printf("%-*s | ", (int)l->width, line->feed->name);
    printf("%.*s\n", KM_STR_ARG(km_buf_view(&plain)));
}

/* By their time; those of one server stay in their order, for they lie so. */
static int earlier(const void *x, const void *y)
{
    const struct line *a = x, *b = y;
    size_t n = a->text.n < b->text.n ? a->text.n : b->text.n;
    int c = memcmp(a->text.p, b->text.p, n < KM_TIME_ISO_LEN ? n : KM_TIME_ISO_LEN);

    if (c == 0 || a->feed == b->feed)
        return (a->text.p > b->text.p) - (a->text.p < b->text.p);
    return c;
}

/* The whole lines of a feed; with `all` what has no end, too. */
static size_t take_lines(const struct logs *l, const struct feed *f, bool all, struct line *out,
                         size_t room)
{
    struct km_str rest = km_buf_view(&f->held), text;
    size_t n = 0, whole = km_str_rchr(rest, '\n');

    if (!all)
        rest = whole < rest.n ? km_str_sub(rest, 0, whole + 1) : KM_STR_NONE;
    while (rest.n && n < room && km_str_split(&rest, '\n', &text))
        if (text.n && is_wanted(l, text))
            out[n++] = (struct line){ f, text };
    return n;
}

static size_t count_lines(const struct logs *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        n++;
        for (size_t at = 0; at < l->feeds[i].held.n; at++)
            n += l->feeds[i].held.p[at] == '\n';
    }
    return n;
}

static int print_round(struct logs *l, struct km_err *err)
{
    size_t room = count_lines(l), n = 0;
    struct line *lines = calloc(room + 1, sizeof *lines);

    if (!lines)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < l->n; i++)
        n += take_lines(l, &l->feeds[i], !l->follows || l->feeds[i].quiet, lines + n, room - n);
    if (l->named)
        qsort(lines, n, sizeof *lines, earlier);
    for (size_t i = 0; i < n; i++)
        print_line(l, &lines[i]);
    free(lines);
    for (size_t i = 0; i < l->n; i++) {
        struct km_buf *held = &l->feeds[i].held;
        size_t whole = km_str_rchr(km_buf_view(held), '\n');

        km_buf_consume(held, l->feeds[i].quiet || !l->follows ? held->n
                             : whole < held->n                ? whole + 1
                                                              : 0);
    }
    return 0;
}

/* --- asking --- */

static int put_target(const struct logs *l, const struct feed *f, char out[TARGET_BYTES])
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(TARGET_BYTES - 1);

    km_buf_str(&b, KM_STR("/kanmon/mcp/servers/"));
    km_url_encode(&b, km_str_c(f->name));
    if (f->next[0])
        km_buf_printf(&b, "/log?after=%s", f->next);
    else
        km_buf_printf(&b, "/log?bytes=%llu", (unsigned long long)l->bytes);
    if (km_buf_failed(&b))
        return km_cli_usage(l->cli, "the name is too long");
    snprintf(out, TARGET_BYTES, "%s", km_buf_cstr(&b));
    return 0;
}

static void take_answer(struct feed *f, const struct km_json *json)
{
    struct km_str log = km_answer_text(json, "log");
    bool missed = false;

    (void)km_json_bool(km_json_get(json, "missed"), &missed);
    if (missed)
        fprintf(stderr,
                "kanmon: more than two logs of %s came within a second: lines are missing\n",
                f->name);

    f->quiet = log.n == 0;
    km_buf_str(&f->held, log);
    snprintf(f->next, sizeof f->next, "%.*s", KM_STR_ARG(km_answer_text(json, "next")));
}

/* Of each server what came; 0, KM_E_AGAIN while the gateway is away, or an error. */
static int ask_round(struct logs *l, struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < l->n; i++) {
        char target[TARGET_BYTES];
        struct km_answer a;

        if (put_target(l, &l->feeds[i], target) != 0)
            return km_fail(err, KM_E_INVALID, "the name is too long");
        km_answer_init(&a);
        r = l->follows ? km_watch_ask(&l->watch, target, &a, err)
                       : km_cli_call(l->cli, "GET", target, KM_STR_NONE, &a, err);
        if (r == 0)
            take_answer(&l->feeds[i], a.json);
        if (r == 0 && !l->follows && l->n == 1 && !km_cli_flag(l->cli, "quiet"))
            fprintf(stderr, "All of it is in %.*s\n", KM_STR_ARG(km_answer_text(a.json, "file")));
        km_answer_done(&a);
    }
    return r;
}

static int run(struct logs *l)
{
    struct km_err err = { 0 };
    int r = ask_round(l, &err);

    if (r == KM_E_AGAIN) /* it never was there */
        return km_cli_fail(l->cli, &err);
    if (r == 0)
        r = print_round(l, &err);
    while (l->follows && r == 0 && km_watch_wait(&l->watch)) {
        r = ask_round(l, &err);
        if (r == 0)
            r = print_round(l, &err);
        if (r == KM_E_AGAIN)
            r = 0;
    }
    return r < 0 ? km_cli_fail(l->cli, &err) : KM_EXIT_OK;
}

/* --- which --- */

static int add_feed(struct logs *l, struct km_str name)
{
    struct feed *f = &l->feeds[l->n];

    if (l->n == SERVERS_MOST)
        return km_cli_usage(l->cli, "%d servers at most", SERVERS_MOST);
    for (size_t i = 0; i < l->n; i++)
        if (km_str_eq(name, km_str_c(l->feeds[i].name)))
            return 0;
    snprintf(f->name, sizeof f->name, "%.*s", KM_STR_ARG(name));
    km_buf_init(&f->held, HELD_BYTES);
    if (name.n > l->width)
        l->width = name.n;
    l->n++;
    return 0;
}

/* All that have a log here. */
static int add_all(struct logs *l)
{
    const struct km_json *s;
    struct km_json_iter it;
    struct km_answer a;
    struct km_str key;
    struct km_err err = { 0 };
    int code = 0;

    km_answer_init(&a);
    if (km_cli_call(l->cli, "GET", "/kanmon/mcp/servers", KM_STR_NONE, &a, &err) < 0)
        code = km_cli_fail(l->cli, &err);
    else
        for (km_json_iter(km_json_get(a.json, "servers"), &it);
             code == 0 && km_json_next(&it, &key, &s);)
            if (km_str_eq(km_answer_text(s, "transport"), KM_STR("stdio")))
                code = add_feed(l, km_answer_text(s, "name"));
    km_answer_done(&a);
    if (code == 0 && l->n == 0)
        code = km_cli_usage(l->cli, "no server here has a log: only those that kanmon starts do");
    return code;
}

static int read_options(struct logs *l)
{
    const char *bytes = km_cli_option(l->cli, "bytes"), *since = km_cli_option(l->cli, "since");
    const char *grep = km_cli_option(l->cli, "grep");
    int64_t us = 0;
    char why[200];
    int r;

    l->bytes = since || grep ? ALL_BYTES : END_BYTES;
    if (bytes && km_str_u64(km_str_c(bytes), &l->bytes) < 0)
        return km_cli_usage(l->cli, "--bytes is a number");
    if (since) {
        if (km_time_parse_when(km_str_c(since), km_wall_us(), &us) < 0)
            return km_cli_usage(l->cli, "--since is no time"); /* judged when it was given */
        km_time_iso(us, l->since);
    }
    if (grep) {
        r = regcomp(&l->grep, grep, REG_EXTENDED | REG_NOSUB);
        regerror(r, &l->grep, why, sizeof why);
        if (r != 0)
            return km_cli_usage(l->cli, "--grep '%.80s' is no regular expression: %s", grep, why);
        l->greps = true;
    }
    return 0;
}

int km_cmd_mcp_logs(struct km_cli *cli)
{
    struct logs l = { .cli = cli, .follows = km_cli_flag(cli, "follow") };
    int code = read_options(&l);

    l.feeds = calloc(SERVERS_MOST, sizeof *l.feeds);
    for (size_t i = 0; code == 0 && l.feeds && i < cli->nargs; i++)
        code = add_feed(&l, km_str_c(cli->args[i]));
    if (code == 0 && l.feeds && cli->nargs == 0)
        code = add_all(&l);
    l.named = l.n > 1;
    if (code == 0 && l.follows)
        km_watch_begin(&l.watch, cli);
    if (code == 0 && l.feeds)
        code = run(&l);
    for (size_t i = 0; l.feeds && i < l.n; i++)
        km_buf_done(&l.feeds[i].held);
    free(l.feeds);
    if (l.greps)
        regfree(&l.grep);
    return code;
}
