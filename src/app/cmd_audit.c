/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_audit.c - who did what, by command line: the audit trail as admin/audit.c gives it.
 *
 * A page of the gateway's may be short, for it looks at so many records at a time; pages are asked
 * for until there are as many records as were wanted.  What callers wrote, a tool's name say, is
 * printed with whatever nobody sees spelled out.
 */
#include "app/cmd_audit.h"

#include "app/client.h"
#include "app/say.h"
#include "http/message.h"
#include "mcp/safety/scan.h"
#include "store/audit.h"

#define LIST_DEFAULT 50
#define LIST_MOST 100000
#define TARGET_BYTES ((size_t)8 * 1024)
#define CELL_BYTES ((size_t)64 * 1024)
#define VERIFY_MS 600000 /* the trail is read from its first record */
#define VALUE_BYTES ((size_t)64 * 1024 * 1024) /* one that names all tools of a server */

/* --- a line a record --- */

/* As wide as its column; longer ones push the rest of their line. */
static void put_cell(struct km_buf *line, int width, struct km_str text)
{
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);

    km_scan_line(&plain, text);
    km_buf_printf(line, "%-*s", width, plain.n ? km_buf_cstr(&plain) : "");
    if (width)
        km_buf_byte(line, ' ');
}

static struct km_str who_of(const struct km_json *record)
{
    struct km_str alias = km_answer_text(record, "key_alias");

    return alias.n ? alias : km_answer_text(record, "actor");
}

/* "github list_issues"; else what was done to. */
static void put_what(struct km_buf *line, const struct km_json *record)
{
    const struct km_json *detail = km_json_get(record, "detail");
    struct km_str server = km_answer_text(detail, "server");
    struct km_str tool = km_answer_text(detail, "tool");

    if (server.n && tool.n) {
        put_cell(line, 20, server);
        put_cell(line, 28, tool);
    } else {
        put_cell(line, 49, km_answer_text(record, "target"));
    }
}

static void put_time(struct km_buf *line, const struct km_json *detail)
{
    int64_t us;

    if (km_json_i64(km_json_get(detail, "duration_us"), &us))
        km_buf_printf(line, "%lld.%lld ms", (long long)(us / 1000), (long long)(us / 100 % 10));
}

static void print_record(const struct km_json *record)
{
    const struct km_json *detail = km_json_get(record, "detail");
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(8 * CELL_BYTES);
    struct km_str outcome = km_answer_text(detail, "outcome");

    put_cell(&line, 8, km_answer_text(record, "seq"));
    put_cell(&line, 19, km_str_sub(km_answer_text(record, "at"), 0, 19));
    put_cell(&line, 16, who_of(record));
    put_cell(&line, 12, km_answer_text(record, "action"));
    put_what(&line, record);
    put_cell(&line, 18, outcome.n ? outcome : km_answer_text(detail, "state"));
    put_time(&line, detail);
    while (line.n && line.p[line.n - 1] == ' ')
        line.n--;
    printf("%.*s\n", KM_STR_ARG(km_buf_view(&line)));
}

static void print_head(void)
{
    printf("%-8s %-19s %-16s %-12s %-20s %-28s %-18s %s\n", "ID", "AT (UTC)", "WHO", "ACTION",
           "SERVER", "TOOL", "OUTCOME", "TOOK");
}

/* --- pages --- */

static const char *const filters[] = { "since", "until", "user",    "action",
                                       "server", "tool", "outcome", NULL };

static int put_query(struct km_cli *cli, uint64_t limit, struct km_str before, struct km_buf *out)
{
    const char *key = km_cli_flag_value(cli, "key"); /* KANMON_KEY is who asks */

    if (key && strncmp(key, "sk-", 3) == 0)
        return km_cli_usage(cli, "a key on the command line can be read by others: use its hash or "
                                 "alias");
    km_buf_printf(out, "/kanmon/audit?limit=%llu",
                  (unsigned long long)(limit > KM_AUDIT_PAGE ? KM_AUDIT_PAGE : limit));
    if (before.n) {
        km_buf_str(out, KM_STR("&before="));
        km_url_encode(out, before);
    }
    if (key) {
        km_buf_str(out, KM_STR("&key="));
        km_url_encode(out, km_str_c(key));
    }
    for (size_t i = 0; filters[i]; i++) {
        const char *value = km_cli_option(cli, filters[i]);

        if (!value || !*value)
            continue;
        km_buf_printf(out, "&%s=", filters[i]);
        km_url_encode(out, km_str_c(value));
    }
    return km_buf_failed(out) ? km_cli_usage(cli, "the options are too long") : 0;
}

struct pages {
    struct km_cli *cli;
    uint64_t wanted, had;
    char next[24]; /* empty: there are no more */
};

static void take_page(struct pages *p, const struct km_json *json)
{
    const struct km_json *record;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(km_json_get(json, "records"), &it); km_json_next(&it, &key, &record);) {
        if (km_cli_flag(p->cli, "json")) {
            struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);

            km_json_write(record, &b);
            fputs(p->had ? "," : "", stdout);
            km_say_json_part(km_buf_view(&b));
        } else {
            if (!p->had)
                print_head();
            print_record(record);
        }
        p->had++;
    }
    snprintf(p->next, sizeof p->next, "%.*s", KM_STR_ARG(km_answer_text(json, "next")));
}

static int next_page(struct pages *p)
{
    struct km_buf target KM_CLEANUP(km_buf_done) = KM_BUF(TARGET_BYTES);
    struct km_answer a;
    struct km_err err = { 0 };
    int code = put_query(p->cli, p->wanted - p->had, km_str_c(p->next), &target);

    if (code != 0)
        return code;
    km_answer_init(&a);
    if (km_cli_call(p->cli, "GET", km_buf_cstr(&target), KM_STR_NONE, &a, &err) < 0) {
        code = km_cli_fail(p->cli, &err);
    } else {
        if (!p->had && km_cli_flag(p->cli, "json"))
            fputs("{\"records\":[", stdout);
        take_page(p, a.json);
    }
    km_answer_done(&a);
    return code;
}

static int read_limit(struct km_cli *cli, uint64_t *ret)
{
    const char *said = km_cli_option(cli, "limit");

    *ret = LIST_DEFAULT;
    if (said && (km_str_u64(km_str_c(said), ret) < 0 || *ret < 1 || *ret > LIST_MOST))
        return km_cli_usage(cli, "--limit is 1 to %d", LIST_MOST);
    return 0;
}

int km_cmd_audit_list(struct km_cli *cli)
{
    struct pages p = { .cli = cli };
    const char *before = km_cli_option(cli, "before");
    int code = read_limit(cli, &p.wanted);

    snprintf(p.next, sizeof p.next, "%s", before ? before : "");
    if (code == 0)
        code = next_page(&p);
    while (code == 0 && p.next[0] && p.had < p.wanted)
        code = next_page(&p);
    if (code != 0)
        return code;
    if (km_cli_flag(cli, "json"))
        printf("],\"next\":%s}\n", p.next[0] ? p.next : "null");
    else if (!p.had)
        fputs("No record fits\n", stderr);
    else if (p.next[0] && !km_cli_flag(cli, "quiet"))
        fprintf(stderr, "There may be older ones: --before %s\n", p.next);
    return KM_EXIT_OK;
}

/* --- one, all --- */

static void print_members(const struct km_json *object, struct km_arena *arena)
{
    const struct km_json *value;
    struct km_json_iter it;
    struct km_str key, text;

    for (km_json_iter(object, &it); km_json_next(&it, &key, &value);) {
        struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);

        if (km_str_eq(key, KM_STR("detail"))) {
            print_members(value, arena);
            continue;
        }
        if (!km_json_string(value, &text))
            text = km_json_compact(value, arena);
        if (!text.n)
            continue;
        km_buf_str(&line, KM_STR("  "));
        put_cell(&line, 17, key);
        put_cell(&line, 0, text);
        printf("%.*s\n", KM_STR_ARG(km_buf_view(&line)));
    }
}

static int show_record(const struct km_cli *cli, struct km_answer *a)
{
    (void)cli;
    print_members(a->json, &a->arena);
    return KM_EXIT_OK;
}

int km_cmd_audit_show(struct km_cli *cli)
{
    char target[64];
    uint64_t seq;

    if (cli->nargs != 1 || km_str_u64(km_str_c(cli->args[0]), &seq) < 0)
        return km_cli_usage(cli, "name one record by its number; `kanmon audit list` shows them");
    snprintf(target, sizeof target, "/kanmon/audit/%llu", (unsigned long long)seq);
    return km_cli_show(cli, "GET", target, KM_STR_NONE, show_record);
}

/* The code is the answer's, whichever way it is printed. */
static int show_chain(const struct km_cli *cli, struct km_answer *a)
{
    bool ok = false;

    (void)km_json_bool(km_json_get(a->json, "ok"), &ok);
    if (km_cli_flag(cli, "json"))
        km_say_json(km_buf_view(&a->body));
    else if (!ok)
        fprintf(stderr, "error: record %.*s is not as it was written, or was taken out\n",
                KM_STR_ARG(km_answer_text(a->json, "broken_at")));
    else if (!km_cli_flag(cli, "quiet"))
        printf("%.*s records, each as it was written; the last is %.*s\n",
               KM_STR_ARG(km_answer_text(a->json, "records")),
               KM_STR_ARG(km_answer_text(a->json, "head")));
    return ok ? KM_EXIT_OK : KM_EXIT_FOUND;
}

int km_cmd_audit_verify(struct km_cli *cli)
{
    struct km_answer a;
    struct km_err err = { 0 };
    int code;

    cli->wait_ms = VERIFY_MS;
    km_answer_init(&a);
    code = km_cli_call(cli, "GET", "/kanmon/audit/verify", KM_STR_NONE, &a, &err) < 0
               ? km_cli_fail(cli, &err)
               : show_chain(cli, &a);
    km_answer_done(&a);
    return code;
}
