/* SPDX-License-Identifier: Apache-2.0 */
/* sts.c - AssumeRole and AssumeRoleWithWebIdentity: the query protocol, XML back.
 *
 * The first is signed with what was found so far, the second is not signed at all: the token is
 * the proof.  It is read anew each time, for whoever issues it rotates the file.
 */
#include "base/time.h"
#include "llm/aws/sigv4.h"
#include "llm/aws/source.h"
#include "llm/token.h"

#define TIMEOUT_MS 5000
#define TRIES 3
#define ANSWER_BYTES (256 * 1024)
#define FORM_BYTES (64 * 1024)
#define SESSION_NAME "kanmon"
#define TYPE_LINE "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"

static void on_answer(void *ctx, const struct km_response *response, struct km_str body,
                      const struct km_err *why)
{
    struct km_aws_search *s = ctx;
    struct km_aws_found found;
    struct km_err err = { 0 };
    int r = 0;

    s->fetch = NULL;
    if (why)
        r = km_fail(&err, KM_E_UPSTREAM_CONNECT, "STS: %s", why->text);
    else if (response->status != 200)
        r = km_fail(&err, KM_E_UPSTREAM_STATUS, "STS answered %d, %.*s", response->status,
                    KM_STR_ARG(km_aws_sts_error(&s->arena, body)));
    else
        r = km_aws_parse_sts(&s->arena, body, &found, &err);
    if (r < 0)
        km_aws_failed(s, &err);
    else
        km_aws_found(s, &found);
}

static struct km_str endpoint(struct km_aws_search *s)
{
    const struct km_aws_settings *c = &s->owner->settings;
    struct km_str region = c->region.n ? c->region : KM_STR("us-east-1");

    if (c->sts_endpoint.n)
        return c->sts_endpoint;
    if (km_aws_env(s, KM_V_AWS_ENDPOINT_URL_STS).n)
        return km_aws_env(s, KM_V_AWS_ENDPOINT_URL_STS);
    return km_arena_printf(&s->arena, "https://sts.%.*s.amazonaws.com%s", KM_STR_ARG(region),
                           km_str_starts(region, KM_STR("cn-")) ? ".cn" : "");
}

static int sign(struct km_aws_search *s, struct km_str url, struct km_str form, struct km_buf *head,
                struct km_err *err)
{
    struct km_aws_credentials who = { s->found.akid, s->found.secret, s->found.token };
    struct km_sigv4_header type = { KM_STR("content-type"),
                                    KM_STR("application/x-www-form-urlencoded; charset=utf-8") };
    struct km_str region = s->owner->settings.region;
    struct km_sigv4_key key = { 0 };
    struct km_origin *origin = NULL;
    struct km_url u;
    int r = km_url_parse(url, &u, err);

    if (r == 0) /* for the Host that will be sent */
        r = km_origin_new(u.https, u.host, u.port, s->owner->tls, NULL, KM_GUARD_NONE, &origin,
                          err);
    if (r < 0 || !origin)
        return r;
    r = km_sigv4_sign(&(struct km_sigv4_request){ .method = KM_STR("POST"),
                                                  .host = origin->host_header,
                                                  .target = u.path.n ? u.path : KM_STR("/"),
                                                  .headers = &type,
                                                  .nheaders = 1,
                                                  .body = &form,
                                                  .nbody = 1,
                                                  .region = region.n ? region : KM_STR("us-east-1"),
                                                  .service = KM_STR("sts"),
                                                  .now_us = km_wall_us() },
                      &who, &key, head, err);
    km_sigv4_key_done(&key);
    km_origin_unref(origin);
    return r;
}

static int ask(struct km_aws_search *s, struct km_str form, bool signs, struct km_err *err)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(FORM_BYTES);
    struct km_str url = endpoint(s);
    int r = 0;

    km_buf_str(&head, KM_STR(TYPE_LINE));
    if (signs)
        r = sign(s, url, form, &head, err);
    if (r < 0)
        return r;
    s->fetch = km_fetch_start(&(struct km_fetch_args){ .loop = s->run->loop,
                                                       .client = s->run->client,
                                                       .tls = s->owner->tls,
                                                       .proxies = &s->owner->proxies,
                                                       .method = KM_STR("POST"),
                                                       .url = url,
                                                       .head = km_buf_view(&head),
                                                       .body = form,
                                                       .has_body = true,
                                                       .timeout_ms = TIMEOUT_MS,
                                                       .tries = TRIES,
                                                       .max_bytes = ANSWER_BYTES },
                              on_answer, s, err);
    km_wipe(head.p, head.n);
    return s->fetch ? KM_E_AGAIN : KM_E_CONFIG;
}

static void role_fields(struct km_buf *form, const struct km_aws_role *role)
{
    km_token_field(form, "RoleArn", role->arn);
    km_token_field(form, "RoleSessionName",
                   role->session_name.n ? role->session_name : KM_STR(SESSION_NAME));
    km_token_field(form, "DurationSeconds", role->duration_s);
    km_token_field(form, "ExternalId", role->external_id);
}

int km_aws_assume_role(struct km_aws_search *s, const struct km_aws_role *role, struct km_err *err)
{
    struct km_buf form KM_CLEANUP(km_buf_done) = KM_BUF(FORM_BYTES);

    km_buf_str(&form, KM_STR("Action=AssumeRole&Version=2011-06-15"));
    role_fields(&form, role);
    return ask(s, km_buf_view(&form), true, err);
}

int km_aws_web_identity(struct km_aws_search *s, const struct km_aws_role *role,
                        struct km_str token, struct km_err *err)
{
    struct km_buf form KM_CLEANUP(km_buf_done) = KM_BUF(FORM_BYTES);
    int r = 0;

    if (token.n && token.p[0] == '/') {
        struct km_str path = token;

        r = km_aws_read_file(&s->arena, path, &token, err);
        if (r == 0 && !km_str_trim(token).n)
            r = km_fail(err, KM_E_CONFIG, "%.*s is empty or not there", KM_STR_ARG(path));
    }
    if (r < 0)
        return r;
    while (token.n && (token.p[token.n - 1] == '\n' || token.p[token.n - 1] == '\r'))
        token.n--;
    km_buf_str(&form, KM_STR("Action=AssumeRoleWithWebIdentity&Version=2011-06-15"));
    role_fields(&form, role);
    km_token_field(&form, "WebIdentityToken", token);
    if (km_buf_failed(&form))
        return km_fail(err, KM_E_LIMIT, "the web identity token is too long");
    r = ask(s, km_buf_view(&form), false, err);
    km_wipe(form.p, form.n);
    return r;
}
