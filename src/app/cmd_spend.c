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

static void add_text(struct km_buf *b, const char *name, const char *value)
{
    km_buf_printf(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
    km_buf_json(b, km_str_c(value));
}

static void show_hold(const struct km_json *hold)
{
    struct km_str key = km_answer_text(hold, "key_alias");

    if (!key.n)
        key = km_str_sub(km_answer_text(hold, "api_key"), 0, HASH_SHOWN);
    printf("%-36.*s  %-20.*s %-28.*s %-20.*s %12.*s  %.*s\n",
           KM_STR_ARG(km_answer_text(hold, "request_id")), KM_STR_ARG(key),
           KM_STR_ARG(km_answer_text(hold, "model")),
           KM_STR_ARG(km_str_sub(km_answer_text(hold, "model_id"), 0, 20)),
           KM_STR_ARG(km_answer_text(hold, "amount")), KM_STR_ARG(km_answer_text(hold, "until")));
}

static int show_holds(const struct km_cli *cli, struct km_answer *a)
{
    const struct km_json *holds = km_json_get(a->json, "holds"), *hold;
    struct km_json_iter it;
    struct km_str key;

    (void)cli;
    if (km_json_count(holds) == 0) {
        puts("nothing is held");
        return KM_EXIT_OK;
    }
    printf("%-36s  %-20s %-28s %-20s %12s  %s\n", "CALL", "KEY", "MODEL", "DEPLOYMENT", "USD",
           "UNTIL");
    for (km_json_iter(holds, &it); km_json_next(&it, &key, &hold);)
        show_hold(hold);
    return KM_EXIT_OK;
}

int km_cmd_spend_holds(struct km_cli *cli)
{
    return km_cli_show(cli, "GET", "/kanmon/spend/holds", KM_STR_NONE, show_holds);
}

static int show_released(const struct km_cli *cli, struct km_answer *a)
{
    (void)cli;
    printf("released %.*s, together %.*s USD\n", KM_STR_ARG(km_answer_text(a->json, "released")),
           KM_STR_ARG(km_answer_text(a->json, "amount")));
    return KM_EXIT_OK;
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
    return km_cli_show(cli, "POST", "/kanmon/spend/holds/release", km_buf_view(&b), show_released);
}

static int show_corrected(const struct km_cli *cli, struct km_answer *a)
{
    (void)cli;
    printf("corrected: %.*s USD, was %.*s\n", KM_STR_ARG(km_answer_text(a->json, "spend")),
           KM_STR_ARG(km_answer_text(a->json, "was")));
    return KM_EXIT_OK;
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
    return km_cli_show(cli, "POST", "/kanmon/spend/correct", km_buf_view(&b), show_corrected);
}
