/* SPDX-License-Identifier: Apache-2.0 */
/* credential.c - see credential.h.
 *
 * All places are looked at, also when one has been found: what a proxy before us would have taken
 * for the credential must be the one that is judged here.  Values are compared in constant time,
 * for one of them may be somebody else's.  Whether it is good is for others to say (auth.h).
 */
#include "door/credential.h"

#include "base/crypto.h"
#include "http/fields.h"
#include "http/websocket.h"

int km_credential_refuse(struct km_err *err, const char *why)
{
    int r = km_fail(err, KM_E_UNAUTHENTICATED, "Authentication Error, %s", why);

    if (err)
        err->param = "None"; /* LiteLLM's own spelling of no parameter */
    return r;
}

static struct km_str after_bearer(struct km_str value)
{
    return km_str_istarts(value, KM_STR("bearer ")) ? km_str_trim(km_str_skip(value, 7))
                                                    : KM_STR_NONE;
}

/* A request that an AWS SDK signed: the id of its access key is the key here, and the signature,
 * made with a secret nobody here knows, proves nothing and is not looked at.
 *
 *     AWS4-HMAC-SHA256 Credential=sk-.../20261120/us-east-1/bedrock/aws4_request, ... */
static struct km_str of_signature(struct km_str value)
{
    static const struct km_str scheme = { "AWS4-HMAC-SHA256 ", 17 }, name = { "Credential=", 11 };
    size_t at = km_str_find(value, name);

    if (!km_str_starts(value, scheme) || at == value.n)
        return KM_STR_NONE;
    value = km_str_skip(value, at + name.n);
    value = km_str_sub(value, 0, km_str_chr(value, ','));
    for (unsigned i = 0; i < 4; i++) /* date, region, service, terminator */
        value = km_str_sub(value, 0, km_str_rchr(value, '/'));
    return value;
}

static int is_credential(struct km_str name, struct km_str custom)
{
    for (size_t i = 0; i < KM_KEY_FIELDS; i++)
        if (km_str_ieq(name, km_key_fields[i].name))
            return km_key_fields[i].bearer ? 2 : 1;
    return custom.n && km_str_ieq(name, custom) ? 1 : 0;
}

/* Browsers cannot set header fields of a WebSocket: OpenAI's client sends the key as a
 * subprotocol, Azure's in the query.  KM_E_INVALID: another one than was found. */
static int of_websocket(const struct km_visit *v, struct km_str *found)
{
    const struct km_request *req = km_exchange_request(v->x);
    struct km_str list = km_header_get(&req->headers, KM_STR("sec-websocket-protocol"));
    struct km_str token, key = KM_STR_NONE, in_query = KM_STR_NONE;

    while (km_ws_token(&list, &token))
        if (km_str_starts(token, KM_STR("openai-insecure-api-key.")))
            key = km_str_skip(token, sizeof "openai-insecure-api-key." - 1);
    (void)km_query_get(km_exchange_arena(v->x), req->query, KM_STR("api-key"), &in_query);
    if (key.n && in_query.n && !km_secret_str_eq(key, in_query))
        return KM_E_INVALID;
    key = key.n ? key : in_query;
    if (key.n && found->n && !km_secret_str_eq(key, *found))
        return KM_E_INVALID;
    if (key.n)
        *found = key;
    return 0;
}

int km_credential(const struct km_visit *v, struct km_str *ret, struct km_err *err)
{
    const struct km_headers *h = &km_exchange_request(v->x)->headers;
    struct km_str found = KM_STR_NONE, in_query = KM_STR_NONE;

    for (size_t i = 0; i < h->n; i++) {
        int kind = is_credential(h->v[i].name, v->view->snap->general->key_header);
        struct km_str value;

        if (!kind)
            continue;
        value = after_bearer(h->v[i].value);
        if (!value.n && kind == 2 && v->dialect == KM_DIALECT_AWS)
            value = of_signature(h->v[i].value);
        if (!value.n && kind == 2)
            return km_credential_refuse(
                err, "Malformed API Key passed in. Ensure Key has `Bearer ` prefix.");
        if (!value.n)
            value = km_str_trim(h->v[i].value);
        if (found.n && !km_secret_str_eq(found, value))
            return km_credential_refuse(err, "two different API keys were passed in. Send one.");
        found = value;
    }
    if (v->dialect == KM_DIALECT_GOOGLE &&
        km_query_get(km_exchange_arena(v->x), km_exchange_request(v->x)->query, KM_STR("key"),
                     &in_query) &&
        in_query.n) {
        if (found.n && !km_secret_str_eq(found, in_query))
            return km_credential_refuse(err, "two different API keys were passed in. Send one.");
        found = in_query;
    }
    if (km_ws_asked(km_exchange_request(v->x)) && of_websocket(v, &found) < 0)
        return km_credential_refuse(err, "two different API keys were passed in. Send one.");
    *ret = found;
    return 0;
}

struct km_str km_cookie(const struct km_visit *v, struct km_str name)
{
    const struct km_headers *h = &km_exchange_request(v->x)->headers;

    for (size_t i = 0; i < h->n; i++) {
        struct km_str rest = h->v[i].value, part;

        if (!km_str_ieq(h->v[i].name, KM_STR("cookie")))
            continue;
        while (km_str_split(&rest, ';', &part)) {
            part = km_str_trim(part);
            if (km_str_starts(part, name) && part.n > name.n && part.p[name.n] == '=')
                return km_str_skip(part, name.n + 1);
        }
    }
    return KM_STR_NONE;
}
