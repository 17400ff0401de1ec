/* SPDX-License-Identifier: Apache-2.0 */
/* metadata.c - credentials of the place the gateway runs in: ECS and EKS containers, EC2.
 *
 * These addresses are asked by this file only, straight, by no proxy.  Plain http is for them
 * alone: a configured container URI elsewhere must be https.  Of EC2's service version 2 is
 * spoken (a token first), version 1 never: it hands credentials to whoever can make the
 * machine fetch a URL.
 */
#include "llm/aws/source.h"

#define TIMEOUT_MS 1000
#define TRIES 3
#define ANSWER_BYTES (64 * 1024)
#define HEAD_BYTES (16 * 1024)
#define ECS "http://169.254.170.2"
#define IMDS "http://169.254.169.254"
#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"

static int fetch(struct km_aws_search *s, const char *method, struct km_str url, struct km_str head,
                 km_fetch_fn *fn, struct km_err *err)
{
    s->fetch = km_fetch_start(&(struct km_fetch_args){ .loop = s->run->loop,
                                                       .client = s->run->client,
                                                       .tls = s->owner->tls,
                                                       .method = km_str_c(method),
                                                       .url = url,
                                                       .head = head,
                                                       .has_body = method[0] == 'P',
                                                       .timeout_ms = TIMEOUT_MS,
                                                       .tries = TRIES,
                                                       .max_bytes = ANSWER_BYTES },
                              fn, s, err);
    return s->fetch ? KM_E_AGAIN : KM_E_CONFIG;
}

/* Is there a good answer?  Otherwise the search is over. */
static bool good(struct km_aws_search *s, const char *who, const struct km_response *response,
                 const struct km_err *why)
{
    struct km_err err = { 0 };

    s->fetch = NULL;
    if (!why && response->status == 200)
        return true;
    if (why)
        km_fail(&err, KM_E_UPSTREAM_CONNECT, "%s: %s", who, why->text);
    else
        km_fail(&err, KM_E_UPSTREAM_STATUS, "%s answered %d", who, response->status);
    km_aws_failed(s, &err);
    return false;
}

static void take(struct km_aws_search *s, const char *who, struct km_str body)
{
    struct km_aws_found found;
    struct km_err why = { 0 }, err = { 0 };

    if (km_aws_parse_json(&s->arena, body, &found, &why) == 0) {
        km_aws_found(s, &found);
        return;
    }
    km_fail(&err, why.code, "%s: %s", who, why.text);
    km_aws_failed(s, &err);
}

/* --- containers --- */

static bool may_be_plain(struct km_str host)
{
    static const char *const hosts[] = { "169.254.170.2", "169.254.170.23", "fd00:ec2::23",
                                         "localhost", "::1" };

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (km_str_eq(host, km_str_c(hosts[i])))
            return true;
    return km_str_starts(host, KM_STR("127."));
}

static void on_container(void *ctx, const struct km_response *response, struct km_str body,
                         const struct km_err *why)
{
    struct km_aws_search *s = ctx;

    if (good(s, "the container's service", response, why))
        take(s, "the container's service", body);
}

static int authorization(struct km_aws_search *s, struct km_buf *head, struct km_err *err)
{
    struct km_str file = km_aws_env(s, KM_V_AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE);
    struct km_str token = km_aws_env(s, KM_V_AWS_CONTAINER_AUTHORIZATION_TOKEN);
    int r = 0;

    if (file.n)
        r = km_aws_read_file(&s->arena, file, &token, err);
    while (token.n && (token.p[token.n - 1] == '\n' || token.p[token.n - 1] == '\r'))
        token.n--;
    return r < 0 || !token.n ? r : km_header_put(head, KM_STR("Authorization"), token, err);
}

int km_aws_from_container(struct km_aws_search *s, struct km_err *err)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);
    struct km_str relative = km_aws_env(s, KM_V_AWS_CONTAINER_CREDENTIALS_RELATIVE_URI);
    struct km_str full = km_aws_env(s, KM_V_AWS_CONTAINER_CREDENTIALS_FULL_URI);
    struct km_url url;
    int r;

    if (!relative.n && !full.n)
        return km_fail(err, KM_E_NOT_FOUND, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set");
    if (relative.n)
        full = km_arena_cat(&s->arena, (struct km_str[]){ KM_STR(ECS), relative }, 2);
    r = km_url_parse(full, &url, err);
    if (r == 0 && !url.https && !may_be_plain(url.host))
        r = km_fail(err, KM_E_CONFIG,
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or a "
                    "container service's own address");
    if (r == 0)
        r = authorization(s, &head, err);
    if (r == 0)
        r = fetch(s, "GET", full, km_buf_view(&head), on_container, err);
    km_wipe(head.p, head.n);
    return r == KM_E_NOT_FOUND ? KM_E_CONFIG : r;
}

/* --- EC2 --- */

static struct km_str instance_url(struct km_aws_search *s, struct km_str path)
{
    struct km_str base = km_aws_env(s, KM_V_AWS_EC2_METADATA_SERVICE_ENDPOINT);

    if (!base.n)
        base = KM_STR(IMDS);
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    return km_arena_cat(&s->arena, (struct km_str[]){ base, path }, 2);
}

/* The next request, with the token. */
static void next(struct km_aws_search *s, struct km_str path, km_fetch_fn *fn)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);
    struct km_err err = { 0 };
    int r = km_header_put(&head, KM_STR("x-aws-ec2-metadata-token"), s->imds_token, &err);

    if (r == 0)
        r = fetch(s, "GET", instance_url(s, path), km_buf_view(&head), fn, &err);
    if (r < 0 && r != KM_E_AGAIN)
        km_aws_failed(s, &err);
}

static void on_instance(void *ctx, const struct km_response *response, struct km_str body,
                        const struct km_err *why)
{
    struct km_aws_search *s = ctx;

    if (good(s, "169.254.169.254", response, why))
        take(s, "169.254.169.254", body);
}

static void on_role(void *ctx, const struct km_response *response, struct km_str body,
                    const struct km_err *why)
{
    struct km_aws_search *s = ctx;
    struct km_buf path KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);

    if (!good(s, "169.254.169.254 (has the instance a role?)", response, why))
        return;
    km_buf_str(&path, KM_STR(ROLE_PATH));
    km_url_encode(&path, km_str_trim(km_str_sub(body, 0, km_str_chr(body, '\n'))));
    next(s, km_arena_str(&s->arena, km_buf_view(&path)), on_instance);
}

static void on_token(void *ctx, const struct km_response *response, struct km_str body,
                     const struct km_err *why)
{
    struct km_aws_search *s = ctx;

    if (!good(s, "169.254.169.254", response, why))
        return;
    s->imds_token = km_arena_str(&s->arena, km_str_trim(body));
    next(s, KM_STR(ROLE_PATH), on_role);
}

int km_aws_from_instance(struct km_aws_search *s, struct km_err *err)
{
    struct km_str off = km_aws_env(s, KM_V_AWS_EC2_METADATA_DISABLED);

    if (off.n && !km_str_ieq(off, KM_STR("false")))
        return km_fail(err, KM_E_NOT_FOUND, "AWS_EC2_METADATA_DISABLED is set");
    return fetch(s, "PUT", instance_url(s, KM_STR("/latest/api/token")),
                 KM_STR("x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"), on_token, err);
}
