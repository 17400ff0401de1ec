/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_account.c - organisations, teams, users, customers, budgets and tags by command line.
 *
 * A command is its name's two words: a row of `kinds` and a row of `verbs`.  Each is one request to
 * the admin API, whose shapes are LiteLLM's, so what differs between kinds is what LiteLLM calls
 * things; what it changes is in the audit log as `local:<uid>`.
 */
#include "app/cmd_account.h"

#include "app/say.h"
#include "http/message.h"
#include "store/accounts.h"

#define REQUEST_BYTES (64 * 1024)
#define ID_BYTES (KM_ACCOUNT_ID_BYTES * 3 + 64) /* of a target with an encoded id */

static const struct kind {
    const char *noun; /* the command's, and the path's */
    const char *asked; /* of the query of info; NULL: the body names several in `named` */
    const char *named;
    const char *inside; /* the member of info that is the row; NULL: the whole is */
    const char *gone; /* of the body of delete: an array, or one id */
    const char *update, *remove; /* methods */
    enum km_account_kind kind;
    bool one;
} kinds[] = {
    { "team", "team_id", NULL, "team_info", "team_ids", "POST", "POST", KM_ACCOUNT_TEAM, false },
    { "user", "user_id", NULL, "user_info", "user_ids", "POST", "POST", KM_ACCOUNT_USER, false },
    { "customer", "end_user_id", NULL, NULL, "user_ids", "POST", "POST", KM_ACCOUNT_END_USER,
      false },
    { "organization", "organization_id", NULL, NULL, "organization_ids", "PATCH", "DELETE",
      KM_ACCOUNT_ORGANIZATION, false },
    { "budget", NULL, "budgets", NULL, "id", "POST", "POST", KM_ACCOUNT_BUDGET, true },
    { "tag", NULL, "names", NULL, "name", "POST", "POST", KM_ACCOUNT_TAG, true },
};

const struct km_option km_account_options[] = {
    { "alias", "NAME", "a name for people (of a tag: what it is for)", 0 },
    { "organization", "ID", "of a team or user: whose it is", 0 },
    { "budget", "ID", "the budget whose limits it has where it has none of its own", 0 },
    { "email", "ADDRESS", "of a user", 0 },
    { "role", "ROLE", "of a user: proxy_admin, proxy_admin_viewer, internal_user ...", 0 },
    { "models", "A,B", "models it may use (default: all)", 0 },
    { "max-budget", "USD", "most it may spend", 0 },
    { "soft-budget", "USD", "what it may spend before somebody is told", 0 },
    { "budget-duration", "TIME", "the budget begins anew after 1d, 30d, 1mo, ...", 0 },
    { "rpm", "N", "requests a minute", 0 },
    { "tpm", "N", "tokens a minute", 0 },
    { "max-parallel", "N", "calls at the same time", 0 },
    { "with-key", NULL, "of a user that is created: a virtual key for him, which is printed", 0 },
    KM_CLIENT_OPTIONS,
    { 0 },
};

/* Which column an option says. */
static const struct {
    const char *option;
    size_t offset;
} columns[] = {
    { "alias", offsetof(struct km_account_row, alias) },
    { "organization", offsetof(struct km_account_row, organization_id) },
    { "budget", offsetof(struct km_account_row, budget_id) },
    { "email", offsetof(struct km_account_row, email) },
    { "role", offsetof(struct km_account_row, role) },
    { "models", offsetof(struct km_account_row, models) },
    { "max-budget", offsetof(struct km_account_row, max_budget) },
    { "soft-budget", offsetof(struct km_account_row, soft_budget) },
    { "budget-duration", offsetof(struct km_account_row, budget_duration) },
    { "rpm", offsetof(struct km_account_row, rpm) },
    { "tpm", offsetof(struct km_account_row, tpm) },
    { "max-parallel", offsetof(struct km_account_row, max_parallel) },
};

static const struct km_key_column *column_at(size_t offset)
{
    for (size_t i = 0; i < km_account_columns_n; i++)
        if (km_account_columns[i].offset == offset)
            return &km_account_columns[i];
    return NULL;
}

static void add_name(struct km_buf *b, const char *name)
{
    km_buf_printf(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
}

/* Numbers are checked by the gateway, whose error names the field. */
static void add_value(struct km_buf *b, const struct km_key_column *c, const char *value)
{
    struct km_str rest = km_str_c(value), item;
    int64_t n;
    bool number =
        (c->kind == KM_KEY_MONEY || c->kind == KM_KEY_COUNT) && km_str_decimal(rest, 9, &n) == 0;

    if (c->kind != KM_KEY_LIST) {
        if (number)
            km_buf_str(b, rest);
        else
            km_buf_json(b, rest);
        return;
    }
    km_buf_byte(b, '[');
    for (bool first = true; km_str_split(&rest, ',', &item); first = false) {
        if (!first)
            km_buf_byte(b, ',');
        km_buf_json(b, km_str_trim(item));
    }
    km_buf_byte(b, ']');
}

/* All that was said of it, into an object that is open; how many in *ret_n. */
static int add_options(struct km_cli *cli, const struct kind *k, struct km_buf *b, size_t *ret_n)
{
    const struct km_account_words *words = &km_account_words[k->kind];

    *ret_n = 0;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        const char *value = km_cli_option(cli, columns[i].option);
        const struct km_key_column *c = column_at(columns[i].offset);
        const char *said = c->offset == offsetof(struct km_account_row, alias)  ? words->alias
                           : c->offset == offsetof(struct km_account_row, role) ? words->role
                                                                                : c->said;

        if (!value)
            continue;
        if (!km_account_has(k->kind, c))
            return km_cli_usage(cli, "a %s has no --%s", k->noun, columns[i].option);
        add_name(b, said);
        add_value(b, c, value);
        ++*ret_n;
    }
    return km_buf_failed(b) ? km_cli_usage(cli, "the options are too long") : 0;
}

/* --- what is shown --- */

static struct km_str limit_of(const struct km_json *row, const char *name)
{
    struct km_str s = km_answer_text(row, name);

    return s.n ? s : km_answer_text(km_json_get(row, "litellm_budget_table"), name);
}

static void show_row(const struct kind *k, const struct km_json *row)
{
    const struct km_account_words *words = &km_account_words[k->kind];
    struct km_str alias = words->alias ? km_answer_text(row, words->alias) : KM_STR_NONE;
    struct km_str budget = limit_of(row, "max_budget");
    bool blocked = km_json_kind(km_json_get(row, "blocked")) == KM_JSON_TRUE;

    km_say(stdout, "%-36.*s %-20.*s %12.*s %12.*s  %s", KM_STR_ARG(km_answer_text(row, words->id)),
           KM_STR_ARG(alias), KM_STR_ARG(km_answer_text(row, "spend")),
           KM_STR_ARG(budget.n ? budget : KM_STR("-")), blocked ? "blocked" : "");
}

static void show_field(const char *label, struct km_str s)
{
    if (s.n)
        km_say(stdout, "  %-16s %.*s", label, KM_STR_ARG(s));
}

static void show_fields(const struct kind *k, const struct km_json *row)
{
    const struct km_account_words *words = &km_account_words[k->kind];

    show_field("id", km_answer_text(row, words->id));
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        const struct km_key_column *c = column_at(columns[i].offset);

        if (c->offset == offsetof(struct km_account_row, max_budget))
            show_field("spend", km_answer_text(row, "spend"));
        if (c->kind == KM_KEY_LIST || !km_account_has(k->kind, c))
            continue;
        show_field(columns[i].option,
                   c->name ? limit_of(row, c->name)
                           : km_answer_text(row, c->offset == offsetof(struct km_account_row, role)
                                                     ? words->role
                                                     : words->alias));
    }
    show_field("resets", limit_of(row, "budget_reset_at"));
    if (km_json_kind(km_json_get(row, "blocked")) == KM_JSON_TRUE)
        puts("  blocked          yes");
}

/* A request whose answer is printed as it is with --json, else its row is shown: the member
 * `inside`, or the first item. */
static int run(struct km_cli *cli, const struct kind *k, const char *method, const char *target,
               struct km_str body, const char *inside)
{
    struct km_answer a;
    struct km_err err = { 0 };
    struct km_json_iter it;
    struct km_str key;
    const struct km_json *row;
    int code = KM_EXIT_OK;

    km_answer_init(&a);
    if (km_cli_call(cli, method, target, body, &a, &err) < 0) {
        code = km_cli_fail(cli, &err);
    } else if (km_cli_flag(cli, "json")) {
        km_say_json(km_buf_view(&a.body));
    } else if (!inside) {
        puts("done");
    } else {
        row = inside[0] ? km_json_get(a.json, inside) : a.json;
        km_json_iter(row, &it);
        if (k->named && inside[0] == 0 && !km_json_next(&it, &key, &row))
            row = NULL;
        if (km_answer_text(a.json, "key").n)
            km_say(stdout, "%.*s", KM_STR_ARG(km_answer_text(a.json, "key")));
        else
            show_fields(k, row);
    }
    km_answer_done(&a);
    return code;
}

static void target_of(const struct kind *k, const char *verb, char out[ID_BYTES])
{
    snprintf(out, ID_BYTES, "/%s/%s", k->noun, verb);
}

/* --- verbs --- */

/* A page of users, or everything of the other kinds; *ret_pages says how many pages there are. */
static int list_page(struct km_cli *cli, const struct kind *k, int64_t page, int64_t *ret_pages,
                     size_t *listed, struct km_err *err)
{
    bool users = k->kind == KM_ACCOUNT_USER, json = km_cli_flag(cli, "json");
    char target[ID_BYTES];
    const struct km_json *rows, *row;
    struct km_json_iter it;
    struct km_answer a;
    struct km_str key;
    int r;

    snprintf(target, sizeof target, users ? "/%s/list?page_size=100&page=%lld" : "/%s/list",
             k->noun, (long long)page);
    km_answer_init(&a);
    r = km_cli_call(cli, "GET", target, KM_STR_NONE, &a, err);
    rows = users ? km_json_get(a.json, "users") : a.json;
    for (km_json_iter(rows, &it); r == 0 && km_json_next(&it, &key, &row); ++*listed) {
        struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);

        if (!json) {
            show_row(k, row);
            continue;
        }
        km_json_write(row, &text);
        fputs(*listed ? "," : "", stdout);
        km_say_json_part(km_buf_view(&text));
    }
    if (r == 0 && !km_json_i64(km_json_get(a.json, "total_pages"), ret_pages))
        *ret_pages = page;
    km_answer_done(&a);
    return r;
}

static int list(struct km_cli *cli, const struct kind *k)
{
    int64_t pages = 1;
    size_t listed = 0;
    struct km_err err = { 0 };
    bool json = km_cli_flag(cli, "json");

    if (!json)
        printf("%-36s %-20s %12s %12s\n", "ID", "NAME", "SPEND", "BUDGET");
    for (int64_t page = 1; page <= pages; page++) {
        if (json && page == 1)
            putchar('[');
        if (list_page(cli, k, page, &pages, &listed, &err) < 0)
            return km_cli_fail(cli, &err);
    }
    if (json)
        puts("]");
    return KM_EXIT_OK;
}

static int show(struct km_cli *cli, const struct kind *k)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(REQUEST_BYTES);
    char target[ID_BYTES];

    if (!k->asked) {
        km_buf_printf(&b, "{\"%s\":[", k->named);
        km_buf_json(&b, km_str_c(cli->args[0]));
        km_buf_str(&b, KM_STR("]}"));
        target_of(k, "info", target);
        return run(cli, k, "POST", target, km_buf_view(&b), "");
    }
    km_url_encode(&b, km_str_c(cli->args[0]));
    snprintf(target, sizeof target, "/%s/info?%s=%s", k->noun, k->asked, km_buf_cstr(&b));
    return run(cli, k, "GET", target, KM_STR_NONE, k->inside ? k->inside : "");
}

static int write_it(struct km_cli *cli, const struct kind *k, bool create)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(REQUEST_BYTES);
    bool user = k->kind == KM_ACCOUNT_USER;
    char target[ID_BYTES];
    size_t said;
    int code;

    km_buf_byte(&b, '{');
    if (cli->nargs) {
        add_name(&b, km_account_words[k->kind].id);
        km_buf_json(&b, km_str_c(cli->args[0]));
    }
    code = add_options(cli, k, &b, &said);
    if (code == 0 && !create && said == 0)
        code = km_cli_usage(cli, "say what is to be another: --max-budget USD ...");
    if (code)
        return code;
    if (user && create) {
        add_name(&b, "auto_create_key");
        km_buf_str(&b, km_cli_flag(cli, "with-key") ? KM_STR("true") : KM_STR("false"));
    }
    km_buf_byte(&b, '}');
    target_of(k, create ? "new" : "update", target);
    return run(cli, k, create ? "POST" : k->update, target, km_buf_view(&b),
               k->kind == KM_ACCOUNT_TAG                         ? "tag"
               : !create && (user || k->kind == KM_ACCOUNT_TEAM) ? "data"
               : k->kind == KM_ACCOUNT_BUDGET                    ? NULL
                                                                 : "");
}

static int with_id(struct km_cli *cli, const struct kind *k, const char *method, const char *verb,
                   const char *name, bool array)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(REQUEST_BYTES);
    char target[ID_BYTES];

    km_buf_byte(&b, '{');
    add_name(&b, name);
    if (array)
        km_buf_byte(&b, '[');
    km_buf_json(&b, km_str_c(cli->args[0]));
    km_buf_str(&b, array ? KM_STR("]}") : KM_STR("}"));
    target_of(k, verb, target);
    return run(cli, k, method, target, km_buf_view(&b), NULL);
}

int km_cmd_account(struct km_cli *cli)
{
    const char *verb = strchr(cli->command->name, ' ') + 1;
    const struct kind *k = kinds;
    bool create = strcmp(verb, "create") == 0, customer;

    while (strncmp(k->noun, cli->command->name, strlen(k->noun)) != 0)
        k++;
    customer = k->kind == KM_ACCOUNT_END_USER;
    if (strcmp(verb, "list") == 0)
        return cli->nargs ? km_cli_usage(cli, "it lists all") : list(cli, k);
    if (cli->nargs != 1 && !(create && cli->nargs == 0))
        return km_cli_usage(cli, "name one %s by its id", k->noun);
    if (cli->nargs && strlen(cli->args[0]) > KM_ACCOUNT_ID_BYTES)
        return km_cli_usage(cli, "an id has at most %d bytes", KM_ACCOUNT_ID_BYTES);
    if (strcmp(verb, "show") == 0)
        return show(cli, k);
    if (create || strcmp(verb, "update") == 0)
        return write_it(cli, k, create);
    if (strcmp(verb, "delete") != 0)
        return with_id(cli, k, "POST", verb, customer ? "user_ids" : "team_id", customer);
    if (!km_cli_flag(cli, "yes"))
        return km_cli_usage(cli, "deleting cannot be undone, and keys go along: add --yes");
    return with_id(cli, k, k->remove, verb, k->gone, !k->one);
}
