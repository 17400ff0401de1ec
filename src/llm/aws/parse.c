/* SPDX-License-Identifier: Apache-2.0 */
/* parse.c - see parse.h.
 *
 * STS answers are XML of one fixed shape without attributes, so that an element is what stands
 * between its tags; the five predefined entities are decoded (a session token is base64 and has
 * none, a message may).
 */
#include "llm/aws/parse.h"

#include "base/time.h"
#include "http/json.h"

static int check(const struct km_aws_found *f, struct km_err *err)
{
    if (f->akid.n && f->secret.n)
        return 0;
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the answer holds no access key");
}

static int expiry(struct km_str text, int64_t *ret_us, struct km_err *err)
{
    *ret_us = INT64_MAX;
    if (!text.n || km_time_parse_iso(text, ret_us) == 0)
        return 0;
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "its Expiration is no time");
}

int km_aws_parse_json(struct km_arena *arena, struct km_str text, struct km_aws_found *ret,
                      struct km_err *err)
{
    struct km_aws_found f = { 0 };
    struct km_str code = KM_STR_NONE, expires = KM_STR_NONE;
    const struct km_json *root;
    int r;

    if (km_json_parse(arena, text, &root, NULL) < 0 || km_json_kind(root) != KM_JSON_OBJECT)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the answer is no JSON object");
    if (km_json_string(km_json_get(root, "Code"), &code) && !km_str_eq(code, KM_STR("Success")))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "it answered %.*s",
                       KM_STR_ARG(km_str_sub(code, 0, 80)));
    (void)km_json_string(km_json_get(root, "AccessKeyId"), &f.akid);
    (void)km_json_string(km_json_get(root, "SecretAccessKey"), &f.secret);
    if (!km_json_string(km_json_get(root, "Token"), &f.token))
        (void)km_json_string(km_json_get(root, "SessionToken"), &f.token);
    (void)km_json_string(km_json_get(root, "Expiration"), &expires);
    r = expiry(expires, &f.expires_us, err);
    if (r == 0)
        r = check(&f, err);
    if (r == 0)
        *ret = f;
    return r;
}

static struct km_str unescape(struct km_arena *arena, struct km_str s)
{
    static const struct {
        const char *entity;
        char byte;
    } entities[] = {
        { "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' }, { "&quot;", '"' }, { "&apos;", '\'' }
    };
    char *out = km_arena_alloc(arena, s.n + 1);
    size_t n = 0;

    while (out && s.n) {
        char byte = s.p[0];
        size_t step = 1;

        for (size_t i = 0; byte == '&' && i < sizeof entities / sizeof entities[0]; i++)
            if (km_str_starts(s, km_str_c(entities[i].entity))) {
                byte = entities[i].byte;
                step = strlen(entities[i].entity);
                break;
            }
        out[n++] = byte;
        s = km_str_skip(s, step);
    }
    return km_str(out, out ? n : 0);
}

static struct km_str element(struct km_arena *arena, struct km_str xml, const char *name)
{
    struct km_str open = km_arena_printf(arena, "<%s>", name);
    struct km_str close = km_arena_printf(arena, "</%s>", name);
    size_t from = km_str_find(xml, open);

    if (from == xml.n)
        return KM_STR_NONE;
    xml = km_str_skip(xml, from + open.n);
    from = km_str_find(xml, close);
    return from < xml.n ? unescape(arena, km_str_trim(km_str_sub(xml, 0, from))) : KM_STR_NONE;
}

int km_aws_parse_sts(struct km_arena *arena, struct km_str xml, struct km_aws_found *ret,
                     struct km_err *err)
{
    struct km_aws_found f = { .akid = element(arena, xml, "AccessKeyId"),
                              .secret = element(arena, xml, "SecretAccessKey"),
                              .token = element(arena, xml, "SessionToken") };
    int r = expiry(element(arena, xml, "Expiration"), &f.expires_us, err);

    if (r == 0)
        r = check(&f, err);
    if (r == 0)
        *ret = f;
    return r;
}

struct km_str km_aws_sts_error(struct km_arena *arena, struct km_str xml)
{
    struct km_str code = element(arena, xml, "Code"), message = element(arena, xml, "Message");

    if (!code.n)
        return KM_STR("an answer that is no error of STS");
    return km_arena_printf(arena, "%.*s: %.*s", KM_STR_ARG(km_str_sub(code, 0, 80)),
                           KM_STR_ARG(km_str_sub(message, 0, 200)));
}
