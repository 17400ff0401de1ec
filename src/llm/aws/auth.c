/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - see auth.h.
 *
 * All workers sign with one of these.  What they share beside the credentials is the day's
 * signing key, copied in and out under a lock (it is 64 bytes), and the clock's offset.
 */
#include "llm/aws/auth.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/time.h"
#include "llm/aws/sigv4.h"

#define SKEW_MOST_US (INT64_C(4) * 60 * 1000000) /* the service allows five minutes */

struct aws_auth {
    struct km_auth base;
    struct km_refresh *credentials;
    pthread_mutex_t lock; /* of key */
    struct km_sigv4_key key;
    _Atomic int64_t skew_us; /* the service's clock less ours */
    struct km_arena arena;
    struct km_str region, service;
};

static struct aws_auth *of(struct km_auth *auth)
{
    return (struct aws_auth *)(void *)auth;
}

static int sign(struct aws_auth *a, const struct km_auth_args *args,
                const struct km_aws_value *value, struct km_buf *head, struct km_err *err)
{
    struct km_aws_credentials who = { km_secret_view(&value->akid), km_secret_view(&value->secret),
                                      km_secret_view(&value->token) };
    struct km_sigv4_header type = { KM_STR("content-type"), KM_STR("application/json") };
    struct km_sigv4_key key;
    int r;

    pthread_mutex_lock(&a->lock);
    key = a->key;
    pthread_mutex_unlock(&a->lock);
    r = km_sigv4_sign(
        &(struct km_sigv4_request){ .method = args->method,
                                    .host = args->host,
                                    .target = args->target,
                                    .headers = &type,
                                    .nheaders = args->nbody ? 1 : 0,
                                    .body = args->body,
                                    .nbody = args->nbody,
                                    .region = a->region,
                                    .service = a->service,
                                    .now_us = args->now_us + atomic_load(&a->skew_us) },
        &who, &key, head, err);
    pthread_mutex_lock(&a->lock);
    a->key = key;
    pthread_mutex_unlock(&a->lock);
    km_sigv4_key_done(&key);
    return r;
}

static int head(struct km_auth *auth, const struct km_auth_args *args, struct km_auth_wait *wait,
                struct km_buf *out, struct km_err *err)
{
    struct aws_auth *a = of(auth);
    struct km_refreshed *value;
    int r = km_refresh_get(a->credentials, args, wait, &value, err);

    if (r < 0)
        return r;
    wait->serial = value->serial;
    r = sign(a, args, (struct km_aws_value *)(void *)value, out, err);
    km_refreshed_unref(value);
    return r;
}

static void cancel(struct km_auth *auth, struct km_auth_wait *wait)
{
    km_refresh_cancel(of(auth)->credentials, wait);
}

/* The error's name: the header's, before ':' and behind '#'; else it stands in the body. */
static bool says(const struct km_headers *headers, struct km_str body, const char *const *names)
{
    struct km_str type = km_header_get(headers, KM_STR("x-amzn-errortype"));

    for (size_t i = 0; names[i]; i++) {
        struct km_str name = km_str_c(names[i]);

        if (type.n ? km_str_find(type, name) < type.n
                   : km_str_find(km_str_sub(body, 0, 4096), name) < km_str_sub(body, 0, 4096).n)
            return true;
    }
    return false;
}

/* Sets our clock by the service's; false when they agreed already. */
static bool learn_clock(struct aws_auth *a, const struct km_headers *headers)
{
    int64_t theirs, skew, was = atomic_load(&a->skew_us);

    if (km_time_parse_http(km_header_get(headers, KM_STR("date")), &theirs) < 0)
        return false;
    skew = theirs - km_wall_us();
    if (skew - was < SKEW_MOST_US && was - skew < SKEW_MOST_US)
        return false;
    atomic_store(&a->skew_us, skew);
    return true;
}

static bool refused(struct km_auth *auth, const struct km_auth_wait *wait, int status,
                    const struct km_headers *headers, struct km_str body)
{
    static const char *const clock[] = { "SignatureDoesNotMatch", "InvalidSignatureException",
                                         "RequestTimeTooSkewed", "RequestExpired",
                                         "Signature expired", "Signature not yet current", NULL };
    static const char *const expired[] = { "ExpiredToken", "UnrecognizedClientException",
                                           "InvalidClientTokenId", "security token", NULL };
    struct aws_auth *a = of(auth);

    if (status != 403 && status != 400 && status != 401)
        return false;
    if (says(headers, body, clock) && learn_clock(a, headers))
        return true;
    return says(headers, body, expired) && km_refresh_distrust(a->credentials, wait->serial);
}

static struct km_auth *auth_free(struct km_auth *auth)
{
    struct aws_auth *a = auth ? of(auth) : NULL;

    if (!a)
        return NULL;
    km_refresh_unref(a->credentials);
    km_sigv4_key_done(&a->key);
    pthread_mutex_destroy(&a->lock);
    km_arena_done(&a->arena);
    free(a);
    return NULL;
}

static const struct km_auth_ops ops = { head, cancel, refused, auth_free };

struct km_auth *km_aws_auth_new(const struct km_aws_auth_args *args, struct km_err *err)
{
    struct aws_auth *a = calloc(1, sizeof *a);

    if (!a) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    a->base.ops = &ops;
    pthread_mutex_init(&a->lock, NULL);
    km_arena_init(&a->arena, 64 * 1024, NULL);
    a->region = km_arena_str(&a->arena, args->region);
    a->service = km_arena_str(&a->arena, args->service);
    a->credentials = km_aws_credentials_new(&args->credentials, err);
    return a->credentials ? &a->base : auth_free(&a->base);
}
