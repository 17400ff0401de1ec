/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_gateway.c - what only a running gateway knows: its servers, what they offer, itself.
 *
 * Everything was asked for once, by its control socket, before the first check; here it is read.
 * Names and reasons come from servers: how they are shown is km_doctor_say()'s to make safe.
 */
#include "app/doctor.h"

#define NAMES_BYTES 1024
#define NAMES_SHOWN 12

static struct km_str text_of(const struct km_json *v, const char *name)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_get(v, name), &s);
    return s;
}

void km_doctor_gateway(struct km_doctor *d)
{
    int64_t pid = 0, workers = 0;
    struct km_str version;

    if (!d->running) {
        km_doctor_say(d, d->gateway_err.code == KM_E_NOT_RUNNING ? KM_DOCTOR_NOTE : KM_DOCTOR_BAD,
                      NULL, "%s", d->gateway_err.text);
        return;
    }
    version = text_of(d->status, "version");
    (void)km_json_i64(km_json_get(d->status, "pid"), &pid);
    (void)km_json_i64(km_json_get(d->status, "workers"), &workers);
    if (km_str_eq(version, KM_STR(KM_VERSION)))
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "process %lld answers, %lld workers", (long long)pid,
                      (long long)workers);
    else
        km_doctor_say(d, KM_DOCTOR_WARN, "kanmon restart",
                      "process %lld is version %.*s, this program is " KM_VERSION, (long long)pid,
                      KM_STR_ARG(version));
}

/* --- MCP servers --- */

static void say_server(struct km_doctor *d, const struct km_json *s)
{
    struct km_str name = text_of(s, "name"), state = text_of(s, "state"), why = text_of(s, "why");
    const bool wrong = km_str_eq(state, KM_STR("down")) || km_str_eq(state, KM_STR("degraded"));

    km_doctor_say(d, wrong ? KM_DOCTOR_BAD : KM_DOCTOR_OK,
                  wrong ? "kanmon mcp logs NAME; kanmon mcp restart NAME" : NULL,
                  "%.*s is %.*s%s%.*s", KM_STR_ARG(name), KM_STR_ARG(state), why.n ? ": " : "",
                  KM_STR_ARG(why));
}

void km_doctor_servers(struct km_doctor *d)
{
    const struct km_json *s;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(km_json_get(d->servers, "servers"), &it); km_json_next(&it, &key, &s);)
        say_server(d, s);
}

/* "a, b and 3 more" */
static void put_names(struct km_buf *b, const struct km_json *list)
{
    const size_t n = km_json_count(list);
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, name;
    size_t i = 0;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &item) && i < NAMES_SHOWN; i++)
        if (km_json_string(item, &name))
            km_buf_printf(b, "%s%.*s", i ? ", " : "", KM_STR_ARG(km_str_sub(name, 0, 64)));
    if (n > i)
        km_buf_printf(b, " and %zu more", n - i);
}

void km_doctor_unannotated(struct km_doctor *d)
{
    const struct km_json *s;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(km_json_get(d->servers, "servers"), &it); km_json_next(&it, &key, &s);) {
        struct km_buf names KM_CLEANUP(km_buf_done) = KM_BUF(NAMES_BYTES);
        const struct km_json *list = km_json_get(s, "unannotated");
        const bool unasked = km_str_eq(text_of(s, "approve_unknown"), KM_STR("never"));

        if (km_json_count(list) == 0)
            continue;
        put_names(&names, list);
        km_doctor_say(d, unasked ? KM_DOCTOR_WARN : KM_DOCTOR_OK,
                      unasked ? "say it in `risks`, or set approve_unknown: always" : NULL,
                      "%.*s: tools that say nothing of their risk %s: %s",
                      KM_STR_ARG(text_of(s, "name")),
                      unasked ? "run unasked" : "are asked about or refused", km_buf_cstr(&names));
    }
}

/* The next server whose member is a number other than 0. */
static bool next_with(struct km_json_iter *it, const char *member,
                      const struct km_json **ret_server, int64_t *ret_n)
{
    struct km_str key;

    while (km_json_next(it, &key, ret_server))
        if (km_json_i64(km_json_get(*ret_server, member), ret_n) && *ret_n != 0)
            return true;
    return false;
}

void km_doctor_left_out(struct km_doctor *d)
{
    const struct km_json *s;
    struct km_json_iter it;
    bool any = false;
    int64_t n;

    for (km_json_iter(km_json_get(d->servers, "servers"), &it);
         next_with(&it, "left_out", &s, &n);) {
        any = true;
        km_doctor_say(d, KM_DOCTOR_WARN, "docs/mcp-openapi.md says what cannot be a tool",
                      "%.*s: %lld operations of its document are no tools: %.*s",
                      KM_STR_ARG(text_of(s, "name")), (long long)n,
                      KM_STR_ARG(km_str_sub(text_of(s, "notes"), 0, 300)));
    }
    if (!any)
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "every operation of a document is a tool");
}

void km_doctor_refused(struct km_doctor *d)
{
    const struct km_json *s;
    struct km_json_iter it;
    bool any = false;
    int64_t n;

    for (km_json_iter(km_json_get(d->servers, "servers"), &it);
         next_with(&it, "refused", &s, &n);) {
        any = true;
        km_doctor_say(d, KM_DOCTOR_WARN, "kanmon mcp status SERVER names each with its reason",
                      "%.*s: %lld items are withheld, for clients would lose their list for them",
                      KM_STR_ARG(text_of(s, "name")), (long long)n);
    }
    if (!any)
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "every item that servers list is one for clients");
}

void km_doctor_pins(struct km_doctor *d)
{
    const struct km_json *list = km_json_get(d->pins, "tools"), *t;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &t);) {
        struct km_str state = text_of(t, "state");

        km_doctor_say(d, km_str_eq(state, KM_STR("new")) ? KM_DOCTOR_WARN : KM_DOCTOR_BAD,
                      "kanmon mcp approve shows it; kanmon mcp approve SERVER TOOL accepts it",
                      "%.*s: tool '%.*s' is %.*s", KM_STR_ARG(text_of(t, "server")),
                      KM_STR_ARG(km_str_sub(text_of(t, "tool"), 0, 128)), KM_STR_ARG(state));
    }
    if (km_json_count(list) == 0)
        km_doctor_say(d, KM_DOCTOR_OK, NULL, "every tool is as it was accepted");
}

static void say_flagged(struct km_doctor *d, const struct km_json *t)
{
    km_doctor_say(d, KM_DOCTOR_BAD, "kanmon mcp status shows why; look at it before it is used",
                  "%.*s: %.*s '%.*s' is flagged", KM_STR_ARG(text_of(t, "server")),
                  KM_STR_ARG(text_of(t, "kind")), KM_STR_ARG(text_of(t, "name")));
}

void km_doctor_flagged(struct km_doctor *d)
{
    const struct km_json *server, *t;
    struct km_json_iter it, inner;
    struct km_str key;
    bool any = false;

    for (km_json_iter(km_json_get(d->servers, "servers"), &it); km_json_next(&it, &key, &server);)
        for (km_json_iter(km_json_get(server, "flagged"), &inner); km_json_next(&inner, &key, &t);
             any = true)
            say_flagged(d, t);
    if (!any)
        km_doctor_say(d, KM_DOCTOR_OK, NULL,
                      "no prompt, resource or instructions of a server are flagged");
}
