/* SPDX-License-Identifier: Apache-2.0 */
/* param.c - see param.h.
 *
 *     a row ─ what a call says ─ LiteLLM's own ─ a request's parameter ─ nearly a guarded row
 *           ─ sounds like a credential ─ anything else
 *
 * The order matters: what any API has as a parameter of requests is never taken for a mistake,
 * however near it is to a row.
 */
#include "llm/param.h"

#include <stdlib.h>

#include "base/near.h"
#include "llm/model_settings.h"
#include "llm/own.h"

static int compare(const void *name, const void *row)
{
    const struct km_str a = *(const struct km_str *)name, b = km_str_c(*(const char *const *)row);
    int r = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return r ? r : a.n < b.n ? -1 : a.n > b.n;
}

/* Both tables' rows begin with their name. */
static const void *find(struct km_str name, const void *rows, size_t n, size_t size)
{
    return name.n ? bsearch(&name, rows, n, size, compare) : NULL;
}

unsigned km_param_apis(struct km_str name)
{
    const struct km_param_request *row =
        find(name, km_params_request, km_params_request_count, sizeof *row);

    return row ? row->apis : 0;
}

/* Each call says these, or kanmon does for it. */
static bool is_of_call(struct km_str name)
{
    static const struct km_str names[] = {
        { "stream", 6 }, { "stream_options", 14 }, { "messages", 8 },
        { "input", 5 },  { "prompt", 6 },          { "model", 5 },
    };

    return km_str_iamong(name, names, sizeof names / sizeof names[0]);
}

/* What LiteLLM's clients tell the gateway in a request: cut there, and no default either. */
static bool is_of_gateway(struct km_str name)
{
    static const struct km_str names[] = { KM_LLM_OWN_NAMES };

    return km_str_iamong(name, names, sizeof names / sizeof names[0]);
}

/* --- credentials by their sound --- */

static bool is_separator(char c)
{
    return c == '_' || c == '-' || c == '.';
}

/* Takes the next word off *rest: "aws_secretKey" has aws, secret and Key. */
static bool next_word(struct km_str *rest, struct km_str *ret)
{
    size_t n = 0;

    while (rest->n && is_separator(rest->p[0]))
        *rest = km_str_skip(*rest, 1);
    while (n < rest->n && !is_separator(rest->p[n]) &&
           !(n && rest->p[n] >= 'A' && rest->p[n] <= 'Z' && rest->p[n - 1] >= 'a' &&
             rest->p[n - 1] <= 'z'))
        n++;
    *ret = km_str_sub(*rest, 0, n);
    *rest = km_str_skip(*rest, n);
    return n > 0;
}

/* Of several words in one: "myapikey", "OPENAIAPIKEY", "api_key_of_mine". */
static bool holds_secret(struct km_str name)
{
    static const char *const parts[] = { "apikey",    "accesskey", "authtoken",  "accesstoken",
                                         "secret",    "password",  "passwd",     "authkey",
                                         "passphrase", "bearer",    "authheader", "credential" };
    char plain[128];
    size_t n = 0;

    for (size_t i = 0; i < name.n && n < sizeof plain; i++)
        if (!is_separator(name.p[i]))
            plain[n++] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (km_str_find(km_str(plain, n), km_str_c(parts[i])) < n)
            return true;
    return false;
}

static bool sounds_secret(struct km_str name)
{
    static const struct km_str anywhere[] = {
        { "pwd", 3 }, { "authorization", 13 }, { "cookie", 6 }, { "jwt", 3 }, { "private", 7 },
    };
    static const struct km_str last[] = {
        { "key", 3 }, { "token", 5 }, { "auth", 4 }, { "pass", 4 }, { "pat", 3 },
    };
    struct km_str word = KM_STR_NONE, rest = name, one;

    while (next_word(&rest, &one)) {
        if (km_str_iamong(one, anywhere, sizeof anywhere / sizeof anywhere[0]))
            return true;
        if (one.p[0] < '0' || one.p[0] > '9') /* `key_2` */
            word = one;
    }
    while (word.n && word.p[word.n - 1] >= '0' && word.p[word.n - 1] <= '9')
        word.n--;
    return holds_secret(name) || km_str_iamong(word, last, sizeof last / sizeof last[0]);
}

/* --- what was meant --- */

/* The nearest of the names that are near at all. */
struct guess {
    struct km_str name, best;
    unsigned distance;
};

static void consider(struct guess *g, const char *known)
{
    struct km_str name = km_str_c(known);
    unsigned distance;

    if (!km_near_miss(g->name, name))
        return;
    distance = km_str_ieq(g->name, name) ? 0 : km_str_distance(g->name, name);
    if (g->best.n && distance >= g->distance)
        return;
    g->best = name;
    g->distance = distance;
}

static struct km_str guarded_row(struct km_str name)
{
    struct guess g = { .name = name };
    const char *row;
    bool guarded;

    for (size_t i = 0; (row = km_litellm_param_at(i, &guarded)) != NULL; i++)
        if (guarded)
            consider(&g, row);
    for (size_t i = 0; i < km_params_litellm_count; i++)
        if (km_params_litellm[i].kind == KM_PARAM_LIMIT ||
            km_params_litellm[i].kind == KM_PARAM_PRICE)
            consider(&g, km_params_litellm[i].name);
    return g.best;
}

static struct km_str any_name(struct km_str name)
{
    struct guess g = { .name = name };
    const char *row;
    bool guarded;

    if (km_str_eq(name, KM_STR("rpm_limit")) || km_str_eq(name, KM_STR("tpm_limit")))
        return km_str_sub(name, 0, 3);
    for (size_t i = 0; (row = km_litellm_param_at(i, &guarded)) != NULL; i++)
        consider(&g, row);
    for (size_t i = 0; i < km_params_request_count; i++)
        consider(&g, km_params_request[i].name);
    for (size_t i = 0; i < km_params_litellm_count; i++)
        consider(&g, km_params_litellm[i].name);
    return g.best;
}

/* "..._above_12hr" and "..._above_1hr": another price, and no mistake. */
static bool differ_by_digits(struct km_str a, struct km_str b)
{
    while (a.n && b.n) {
        if (a.p[0] >= '0' && a.p[0] <= '9')
            a = km_str_skip(a, 1);
        else if (b.p[0] >= '0' && b.p[0] <= '9')
            b = km_str_skip(b, 1);
        else if (a.p[0] != b.p[0])
            return false;
        else
            a = km_str_skip(a, 1), b = km_str_skip(b, 1);
    }
    return a.n == b.n;
}

void km_param_judge(struct km_str name, bool text, struct km_param *ret)
{
    const struct km_param_litellm *own =
        find(name, km_params_litellm, km_params_litellm_count, sizeof *own);

    *ret = (struct km_param){ .kind = KM_PARAM_ROW };
    if (km_litellm_param_known(name))
        return;
    ret->kind = is_of_call(name) ? KM_PARAM_CALL : own ? own->kind : KM_PARAM_REQUEST;
    if (ret->kind != KM_PARAM_REQUEST || km_param_apis(name))
        return;
    ret->meant = guarded_row(name); /* `API_KEY` is no client's api_key */
    if (!ret->meant.n && is_of_gateway(name)) {
        ret->kind = KM_PARAM_OWN;
        return;
    }
    if (km_price_no_effect(name) && (!ret->meant.n || differ_by_digits(name, ret->meant))) {
        ret->kind = KM_PARAM_PRICE;
    } else if (ret->meant.n) {
        ret->kind = KM_PARAM_MISSPELT;
    } else if (text && sounds_secret(name)) {
        ret->kind = KM_PARAM_SECRET;
    } else {
        ret->kind = KM_PARAM_OTHER;
        ret->meant = any_name(name);
    }
}
