/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_key.c - virtual keys by command line: each command is a request to the admin API, so what
 * it changes is in the audit log as `local:<uid>`.
 *
 * A key is named by its hash or alias; "sk-..." is accepted on standard input ("-") only, since
 * arguments can be read by everybody on the machine.
 */
#include "app/cmd_key.h"

#include "app/cmd_key_mcp.h"
#include "app/control.h"
#include "app/lines.h"
#include "app/say.h"
#include "http/message.h"
#include "store/key_columns.h"

#define REQUEST_BYTES (64 * 1024)
#define KEY_BYTES 600 /* a hash, a secret, or an alias */

static void print_json(const struct km_answer *a)
{
    km_say_json(km_buf_view(&a->body));
}

static void print_field(const char *label, const struct km_json *v, const char *name)
{
    struct km_str s = km_answer_text(v, name);

    if (s.n)
        km_say(stdout, "  %-12s %.*s", label, KM_STR_ARG(s));
}

static void print_column(const struct km_key_column *c, const struct km_json *row)
{
    if (c->kind != KM_KEY_FLAG)
        print_field(c->label, row, c->name);
    else if (km_json_kind(km_json_get(row, c->name)) == KM_JSON_TRUE)
        printf("  %-12s yes\n", c->label);
}

/* What names the key, what it has spent, what limits it; what is only yes or no stands at the
 * end. */
static void print_key(const struct km_json *row)
{
    enum { NAMES, LIMITS, FLAGS, PARTS };

    for (int part = NAMES; part < PARTS; part++) {
        for (size_t i = 0; i < km_key_columns_n; i++) {
            const struct km_key_column *c = &km_key_columns[i];
            int of = c->kind == KM_KEY_TEXT ? NAMES : c->kind == KM_KEY_FLAG ? FLAGS : LIMITS;

            if (c->label && of == part)
                print_column(c, row);
        }
        if (part == NAMES) {
            print_field("hash", row, "token");
            print_field("spend", row, "spend");
        }
    }
}

/* A request whose answer is printed by `show`, or as it is with --json. */
static int run(struct km_cli *cli, const char *method, const char *target, struct km_str body,
               void (*show)(const struct km_json *json))
{
    struct km_answer a;
    struct km_err err = { 0 };
    int code = KM_EXIT_OK;

    km_answer_init(&a);
    if (km_cli_call(cli, method, target, body, &a, &err) < 0)
        code = km_cli_fail(cli, &err);
    else if (km_cli_flag(cli, "json") || !show)
        print_json(&a);
    else
        show(a.json);
    km_answer_done(&a);
    return code;
}

static void add_text(struct km_buf *b, const char *name, const char *value)
{
    if (!value)
        return;
    km_buf_printf(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
    km_buf_json(b, km_str_c(value));
}

/* Numbers are checked by the gateway, whose error names the field. */
static void add_number(struct km_buf *b, const char *name, const char *value)
{
    int64_t n;

    if (!value)
        return;
    if (km_str_decimal(km_str_c(value), 9, &n) < 0)
        add_text(b, name, value);
    else
        km_buf_printf(b, "%s\"%s\":%s", b->n > 1 ? "," : "", name, value);
}

static void add_list(struct km_buf *b, const char *name, const char *value)
{
    struct km_str rest = km_str_c(value), item;
    bool first = true;

    if (!value)
        return;
    km_buf_printf(b, "%s\"%s\":[", b->n > 1 ? "," : "", name);
    for (; km_str_split(&rest, ',', &item); first = false) {
        if (!first)
            km_buf_byte(b, ',');
        km_buf_json(b, km_str_trim(item));
    }
    km_buf_byte(b, ']');
}

static void show_generated(const struct km_json *json)
{
    struct km_str key = km_answer_text(json, "key");

    printf("%.*s\n", KM_STR_ARG(key));
    fputs("This is the only time the key is shown: store it now.\n", stderr);
}

static void add_option(struct km_cli *cli, const struct km_key_column *c, struct km_buf *b)
{
    const char *value = km_cli_option(cli, c->option);

    if (c->kind == KM_KEY_LIST)
        add_list(b, c->said, value);
    else if (c->kind == KM_KEY_COUNT || c->kind == KM_KEY_MONEY)
        add_number(b, c->said, value);
    else
        add_text(b, c->said, value);
}

/* "none" is false: without the option a key may have whatever providers run. */
static void add_hosted(struct km_buf *b, const char *value)
{
    if (value && strcmp(value, "none") == 0)
        km_buf_printf(b, "%s\"hosted_tools\":false", b->n > 1 ? "," : "");
    else
        add_list(b, "hosted_tools", value);
}

/* All that was said of it; before: of a key that is changed, what it is. */
static int add_options(struct km_cli *cli, const struct km_json *before, struct km_buf *b)
{
    int code;

    for (size_t i = 0; i < km_key_columns_n; i++)
        if (km_key_columns[i].option)
            add_option(cli, &km_key_columns[i], b);
    add_hosted(b, km_cli_option(cli, "hosted-tools"));
    code = km_key_mcp_put(cli, km_json_get(before, "object_permission"), b);
    km_buf_byte(b, '}');
    if (code == 0 && km_buf_failed(b))
        code = km_cli_usage(cli, "the options are too long");
    return code;
}

int km_cmd_key_generate(struct km_cli *cli)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(REQUEST_BYTES);
    int code;

    km_buf_byte(&b, '{');
    code = add_options(cli, NULL, &b);
    return code ? code : run(cli, "POST", "/key/generate", km_buf_view(&b), show_generated);
}

static void show_row(const struct km_json *row)
{
    struct km_str budget = km_answer_text(row, "max_budget");

    struct km_buf mcp KM_CLEANUP(km_buf_done) = KM_BUF(REQUEST_BYTES);

    km_key_mcp_word(km_json_get(row, "object_permission"), &mcp);
    km_say(stdout, "%-16.*s %-20.*s %12.*s %12.*s  %-64.*s  %.*s",
           KM_STR_ARG(km_answer_text(row, "key_name")),
           KM_STR_ARG(km_answer_text(row, "key_alias")), KM_STR_ARG(km_answer_text(row, "spend")),
           KM_STR_ARG(budget.n ? budget : KM_STR("-")), KM_STR_ARG(km_answer_text(row, "token")),
           KM_STR_ARG(km_buf_view(&mcp)));
}

static void print_row(const struct km_json *row, bool first)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);

    km_json_write(row, &b);
    fputs(first ? "" : ",", stdout);
    km_say_json_part(km_buf_view(&b));
}

/* The gateway gives at most a thousand at a time.  Keys that come and go between two pages may
 * be listed twice, or not. */
static int list_page(struct km_cli *cli, int64_t page, size_t *listed, int64_t *ret_pages,
                     struct km_err *err)
{
    char target[100];
    struct km_json_iter it;
    const struct km_json *row;
    struct km_answer a;
    struct km_str key;
    bool json = km_cli_flag(cli, "json");
    int r;

    snprintf(target, sizeof target, "/key/list?return_full_object=true&size=1000&page=%lld",
             (long long)page);
    km_answer_init(&a);
    r = km_cli_call(cli, "GET", target, KM_STR_NONE, &a, err);
    if (r == 0 && page == 1 && json)
        fputs("{\"keys\":[", stdout);
    if (r == 0 && page == 1 && !json)
        printf("%-16s %-20s %12s %12s  %-64s  %s\n", "KEY", "ALIAS", "SPEND", "BUDGET", "HASH",
               "MCP SERVERS");
    if (r == 0)
        for (km_json_iter(km_json_get(a.json, "keys"), &it); km_json_next(&it, &key, &row);) {
            if (json)
                print_row(row, *listed == 0);
            else
                show_row(row);
            ++*listed;
        }
    if (r == 0 && !km_json_i64(km_json_get(a.json, "total_pages"), ret_pages))
        *ret_pages = page;
    km_answer_done(&a);
    return r;
}

int km_cmd_key_list(struct km_cli *cli)
{
    int64_t pages = 1;
    size_t listed = 0;
    struct km_err err = { 0 };

    for (int64_t page = 1; page <= pages; page++)
        if (list_page(cli, page, &listed, &pages, &err) < 0)
            return km_cli_fail(cli, &err);
    if (km_cli_flag(cli, "json"))
        printf("],\"total_count\":%zu}\n", listed);
    return KM_EXIT_OK;
}

static bool is_hash(const char *text)
{
    return strlen(text) == 64 && text[strspn(text, "0123456789abcdefABCDEF")] == 0;
}

/* The hash of the key that has this alias, of which there is one at most. */
static int by_alias(struct km_cli *cli, const char *alias, char *out, size_t cap,
                    struct km_err *err)
{
    struct km_buf encoded KM_CLEANUP(km_buf_done) = KM_BUF(KEY_BYTES * 3);
    char target[KEY_BYTES * 4];
    struct km_json_iter it;
    const struct km_json *item;
    struct km_answer a;
    struct km_str key, hash;
    int r;

    km_url_encode(&encoded, km_str_c(alias));
    snprintf(target, sizeof target, "/key/list?size=1&key_alias=%s", km_buf_cstr(&encoded));
    km_answer_init(&a);
    r = km_cli_call(cli, "GET", target, KM_STR_NONE, &a, err);
    km_json_iter(km_json_get(a.json, "keys"), &it);
    if (r == 0 && (!km_json_next(&it, &key, &item) || !km_json_string(item, &hash)))
        r = km_fail(err, KM_E_NOT_FOUND,
                    "no key has the alias '%s'; `kanmon key list` shows keys with their aliases",
                    alias);
    if (r == 0)
        snprintf(out, cap, "%.*s", KM_STR_ARG(hash));
    km_answer_done(&a);
    return r;
}

/* The key a command is about: its hash, its alias, or "-" for a secret on standard input. */
static int key_argument(struct km_cli *cli, char *out, size_t cap)
{
    struct km_err err = { 0 };

    if (cli->nargs != 1)
        return km_cli_usage(cli, "name one key: its hash or alias, or - to read it from standard "
                                 "input");
    if (strncmp(cli->args[0], "sk-", 3) == 0)
        return km_cli_usage(cli, "a key on the command line can be read by others: use its hash or "
                                 "alias, or -");
    if (strlen(cli->args[0]) >= cap)
        return km_cli_usage(cli, "that is no key's name: it is too long");
    if (is_hash(cli->args[0])) {
        snprintf(out, cap, "%s", cli->args[0]);
        return 0;
    }
    if (strcmp(cli->args[0], "-") != 0)
        return by_alias(cli, cli->args[0], out, cap, &err) < 0 ? km_cli_fail(cli, &err) : 0;
    if (!fgets(out, (int)cap, stdin))
        out[0] = 0;
    out[strcspn(out, "\r\n")] = 0;
    return out[0] ? 0 : km_cli_usage(cli, "standard input has no key");
}

static void show_info(const struct km_json *json)
{
    print_key(km_json_get(json, "info"));
    km_key_mcp_print(km_json_get(km_json_get(json, "info"), "object_permission"));
}

int km_cmd_key_info(struct km_cli *cli)
{
    char key[KEY_BYTES], target[KEY_BYTES * 4];
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KEY_BYTES * 3);
    int code = key_argument(cli, key, sizeof key);

    if (code != 0)
        return code;
    km_url_encode(&b, km_str_c(key));
    snprintf(target, sizeof target, "/key/info?key=%s", km_buf_cstr(&b));
    return run(cli, "GET", target, KM_STR_NONE, show_info);
}

static void show_updated(const struct km_json *json)
{
    print_key(json);
    km_key_mcp_print(km_json_get(json, "object_permission"));
}

static bool says_anything(const struct km_cli *cli)
{
    for (size_t i = 0; i < km_key_columns_n; i++)
        if (km_key_columns[i].option && km_cli_option(cli, km_key_columns[i].option))
            return true;
    return km_cli_option(cli, "hosted-tools") || km_key_mcp_given(cli);
}

/* What is not said stays; of what it may use of MCP servers each part. */
int km_cmd_key_update(struct km_cli *cli)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(REQUEST_BYTES);
    char key[KEY_BYTES], target[KEY_BYTES * 4];
    struct km_buf encoded KM_CLEANUP(km_buf_done) = KM_BUF(KEY_BYTES * 3);
    struct km_answer a;
    struct km_err err = { 0 };
    int code = key_argument(cli, key, sizeof key);

    if (code == 0 && !says_anything(cli))
        code = km_cli_usage(cli, "say what of the key is to be another: --max-budget USD ...");
    if (code != 0)
        return code;
    km_url_encode(&encoded, km_str_c(key));
    snprintf(target, sizeof target, "/key/info?key=%s", km_buf_cstr(&encoded));
    km_answer_init(&a);
    if (km_cli_call(cli, "GET", target, KM_STR_NONE, &a, &err) < 0)
        code = km_cli_fail(cli, &err);
    km_buf_byte(&b, '{');
    add_text(&b, "key", key);
    if (code == 0)
        code = add_options(cli, km_json_get(a.json, "info"), &b);
    km_answer_done(&a);
    return code ? code : run(cli, "POST", "/key/update", km_buf_view(&b), show_updated);
}

static void show_done(const struct km_json *json)
{
    (void)json;
    puts("done");
}

static int with_key(struct km_cli *cli, const char *target, bool list)
{
    char key[KEY_BYTES];
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(REQUEST_BYTES);
    int code = key_argument(cli, key, sizeof key);

    if (code != 0)
        return code;
    km_buf_byte(&b, '{');
    if (list)
        add_list(&b, "keys", key);
    else
        add_text(&b, "key", key);
    km_buf_byte(&b, '}');
    return run(cli, "POST", target, km_buf_view(&b), show_done);
}

int km_cmd_key_delete(struct km_cli *cli)
{
    if (!km_cli_flag(cli, "yes"))
        return km_cli_usage(cli, "deleting a key cannot be undone: add --yes");
    return with_key(cli, "/key/delete", true);
}

int km_cmd_key_block(struct km_cli *cli)
{
    return with_key(cli, "/key/block", false);
}

int km_cmd_key_unblock(struct km_cli *cli)
{
    return with_key(cli, "/key/unblock", false);
}

/* --- prices, reload, status --- */

static void show_reload(const struct km_json *json)
{
    struct km_str version = km_answer_text(json, "version");

    printf("reloaded: configuration version %.*s is in effect\n", KM_STR_ARG(version));
    km_control_show(json);
}

int km_cmd_prices_import(struct km_cli *cli)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 * 1024 * 1024);
    struct km_err err = { 0 };

    if (cli->nargs != 1)
        return km_cli_usage(cli, "name the price file, or - for standard input");
    if (km_cli_read(cli->args[0], &b, &err) < 0)
        return km_cli_fail(cli, &err);
    return run(cli, "POST", "/kanmon/prices", km_buf_view(&b), show_reload);
}

/* What the file has that is wrong, or worth a word, on standard error. */
static void show_problems(const struct km_json *json)
{
    const struct km_json *list = km_json_get(json, "problems"), *p;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &p);) {
        struct km_str help = km_answer_text(p, "suggestion"), file = km_answer_text(p, "file");

        km_say(stderr, "%.*s[%.*s]: %.*s", KM_STR_ARG(km_answer_text(p, "level")),
               KM_STR_ARG(km_answer_text(p, "code")), KM_STR_ARG(km_answer_text(p, "message")));
        if (file.n)
            fprintf(stderr, "  --> %.*s:%.*s:%.*s\n", KM_STR_ARG(file),
                    KM_STR_ARG(km_answer_text(p, "line")), KM_STR_ARG(km_answer_text(p, "column")));
        if (help.n)
            fprintf(stderr, "  = help: %.*s\n", KM_STR_ARG(help));
    }
}

/* What is wrong with the file stands in the answer; then nothing has changed. */
static int reload_refused(struct km_cli *cli, const struct km_answer *a)
{
    struct km_str why = km_answer_text(a->json, "error");
    struct km_err err;

    if (km_cli_flag(cli, "json")) {
        print_json(a);
        return KM_EXIT_CONFIG;
    }
    km_fail(&err, KM_E_CONFIG, "nothing was changed: %.*s", KM_STR_ARG(why));
    return km_cli_fail(cli, &err);
}

int km_cmd_reload(struct km_cli *cli)
{
    struct km_answer a;
    struct km_err err = { 0 };
    int code = KM_EXIT_OK, r;

    km_answer_init(&a);
    r = km_cli_call(cli, "POST", "/kanmon/reload", KM_STR_NONE, &a, &err);
    if (!km_cli_flag(cli, "json"))
        show_problems(a.json);
    if (r < 0)
        code = km_json_get(a.json, "reloaded") ? reload_refused(cli, &a) : km_cli_fail(cli, &err);
    else if (km_cli_flag(cli, "json"))
        print_json(&a);
    else
        show_reload(a.json);
    km_answer_done(&a);
    return code;
}

/* Deployments and providers that get no calls right now, or not all of theirs. */
static void show_left_alone(const struct km_json *list)
{
    const struct km_json *row;
    struct km_str none, kind, name, state;
    struct km_json_iter it;
    int64_t left = 0;

    km_json_iter(list, &it);
    while (km_json_next(&it, &none, &row)) {
        if (!km_json_string(km_json_get(row, "kind"), &kind) ||
            !km_json_string(km_json_get(row, "name"), &name) ||
            !km_json_string(km_json_get(row, "state"), &state))
            continue;
        printf("  left alone   %.*s %.*s: %.*s", KM_STR_ARG(kind), KM_STR_ARG(name),
               KM_STR_ARG(state));
        if (km_json_i64(km_json_get(row, "left_ms"), &left) && left > 0)
            printf(", %lld s more", (long long)(left + 999) / 1000);
        putchar('\n');
    }
}

static struct km_str text_of(const struct km_json *row, const char *member)
{
    const struct km_json *v = row ? km_json_get(row, member) : NULL;
    struct km_str text = KM_STR_NONE;

    if (!km_json_string(v, &text) && !km_json_number(v, &text))
        text = KM_STR_NONE;
    return text;
}

/* What all calls together cost, of what they may. */
static void show_budget(const struct km_json *budget)
{
    const struct km_json *row;
    struct km_str none, end;
    struct km_json_iter it;

    if (km_json_kind(budget) != KM_JSON_OBJECT)
        return;
    km_json_iter(km_json_get(budget, "windows"), &it);
    while (km_json_next(&it, &none, &row)) {
        end = km_str_sub(text_of(row, "ends_at"), 0, 19);
        printf("  budget       %.*s: %.*s of %.*s USD spent, %.*s %%",
               KM_STR_ARG(text_of(row, "window")), KM_STR_ARG(text_of(row, "spent")),
               KM_STR_ARG(text_of(row, "limit")), KM_STR_ARG(text_of(row, "percent")));
        if (end.n)
            printf(", ends %.*sZ", KM_STR_ARG(end));
        putchar('\n');
    }
    printf("               month: %.*s USD spent, %.*s USD projected (%.*s)\n",
           KM_STR_ARG(text_of(budget, "spent_month")),
           KM_STR_ARG(text_of(budget, "projected_month")), KM_STR_ARG(text_of(budget, "action")));
}

static void show_status(const struct km_json *json)
{
    puts("kanmon is running");
    km_control_show(json);
    if (km_json_kind(km_json_get(json, "supervisor")) == KM_JSON_NULL)
        puts("  supervised   no: `kanmon start` would keep it running");
    print_field("version", json, "version");
    print_field("since", json, "started_at");
    print_field("workers", json, "workers");
    print_field("connections", json, "connections");
    print_field("models", json, "models");
    print_field("store", json, "store");
    print_field("", km_json_get(json, "store_fault"), "why");
    print_field("refuses", km_json_get(json, "store_fault"), "refuses");
    print_field("auth", json, "auth");
    show_left_alone(json ? km_json_get(json, "left_alone") : NULL);
    show_budget(json ? km_json_get(json, "budget") : NULL);
    km_lines_show(json);
}

int km_cmd_status(struct km_cli *cli)
{
    return run(cli, "GET", "/kanmon/status", KM_STR_NONE, show_status);
}
