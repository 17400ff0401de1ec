/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_spend.c - spend that is in doubt, by command line: what is held, released, corrected.
 *
 * Each is one request to the admin API (admin/spend.c), so what it changes is in the audit log as
 * `local:<uid>`.  A call is named by the id that its answer had and that /spend/logs shows.
 */
#include "app/cmd_spend.h"

#include "app/client.h"

#define REQUEST_BYTES (16 * 1024)
#define HASH_SHOWN 16 /* digits of a key's hash, where it has no alias */

static struct km_str text_of(const struct km_json *v, const char *name)
{
    struct km_str s = KM_STR_NONE;

    if (!km_json_string(km_json_get(v, name), &s))
        (void)km_json_number(km_json_get(v, name), &s);
    return s;
}

/* A request whose answer is shown, or printed as it is with --json. */
static int run(struct km_cli *cli, const char *method, const char *target, struct km_str body,
               void (*show)(const struct km_json *json))
{
    struct km_answer a;
    struct km_err err = { 0 };
    int code = KM_EXIT_OK;

    km_answer_init(&a);
    if (km_cli_call(cli, method, target, body, &a, &err) < 0)
        code = km_cli_fail(cli, &err);
    else if (km_cli_flag(cli, "json"))
        printf("%.*s\n", (int)a.body.n, a.body.p ? a.body.p : "");
    else
        show(a.json);
    km_answer_done(&a);
    return code;
}

static void add_text(struct km_buf *b, const char *name, const char *value)
{
    km_buf_printf(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
    km_buf_json(b, km_str_c(value));
}

static void show_hold(const struct km_json *hold)
{
    struct km_str key = text_of(hold, "key_alias");

    if (!key.n)
        key = km_str_sub(text_of(hold, "api_key"), 0, HASH_SHOWN);
    printf("%-36.*s  %-20.*s %-28.*s %-20.*s %12.*s  %.*s\n",
           KM_STR_ARG(text_of(hold, "request_id")), KM_STR_ARG(key),
           KM_STR_ARG(text_of(hold, "model")),
           KM_STR_ARG(km_str_sub(text_of(hold, "model_id"), 0, 20)),
           KM_STR_ARG(text_of(hold, "amount")), KM_STR_ARG(text_of(hold, "until")));
}

static void show_holds(const struct km_json *json)
{
    const struct km_json *hold;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_count(km_json_get(json, "holds")) == 0) {
        puts("nothing is held");
        return;
    }
    printf("%-36s  %-20s %-28s %-20s %12s  %s\n", "CALL", "KEY", "MODEL", "DEPLOYMENT", "USD",
           "UNTIL");
    for (km_json_iter(km_json_get(json, "holds"), &it); km_json_next(&it, &key, &hold);)
        show_hold(hold);
}

int km_cmd_spend_holds(struct km_cli *cli)
{
    return run(cli, "GET", "/kanmon/spend/holds", KM_STR_NONE, show_holds);
}

static void show_released(const struct km_json *json)
{
    printf("released %.*s, together %.*s USD\n", KM_STR_ARG(text_of(json, "released")),
           KM_STR_ARG(text_of(json, "amount")));
}

static bool is_hash(const char *text)
{
    return strlen(text) == 64 && text[strspn(text, "0123456789abcdefABCDEF")] == 0;
}

int km_cmd_spend_release(struct km_cli *cli)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(REQUEST_BYTES);
    const char *key = km_cli_flag_value(cli, "key"); /* KANMON_KEY is who asks */
    bool all = km_cli_flag_value(cli, "all") != NULL;

    if (cli->nargs > 1 || (cli->nargs == 1) + (key != NULL) + all != 1)
        return km_cli_usage(cli, "name one call by its id, or say --key KEY or --all");
    if (key && strncmp(key, "sk-", 3) == 0)
        return km_cli_usage(cli, "a key on the command line can be read by others: use its hash or "
                                 "alias");
    km_buf_byte(&b, '{');
    if (all)
        km_buf_str(&b, KM_STR("\"all\":true"));
    else if (key)
        add_text(&b, is_hash(key) ? "key" : "key_alias", key);
    else
        add_text(&b, "request_id", cli->args[0]);
    km_buf_byte(&b, '}');
    return run(cli, "POST", "/kanmon/spend/holds/release", km_buf_view(&b), show_released);
}

static void show_corrected(const struct km_json *json)
{
    printf("corrected: %.*s USD, was %.*s\n", KM_STR_ARG(text_of(json, "spend")),
           KM_STR_ARG(text_of(json, "was")));
}

int km_cmd_spend_correct(struct km_cli *cli)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(REQUEST_BYTES);
    const char *cost = km_cli_option(cli, "cost"), *reason = km_cli_option(cli, "reason");

    if (cli->nargs != 1)
        return km_cli_usage(cli, "name one call by its id");
    if (!cost)
        return km_cli_usage(cli, "say what it cost: --cost USD");
    km_buf_byte(&b, '{');
    add_text(&b, "request_id", cli->args[0]);
    add_text(&b, "cost", cost); /* checked by the gateway, whose error names it */
    if (reason)
        add_text(&b, "reason", reason);
    km_buf_byte(&b, '}');
    return run(cli, "POST", "/kanmon/spend/correct", km_buf_view(&b), show_corrected);
}
