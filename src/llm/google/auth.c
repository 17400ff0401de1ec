/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - see auth.h: what asks for a token, by the kind of credentials.
 *
 *     service_account   a JWT signed by its key -> token_uri          (RFC 7523)
 *     authorized_user   its refresh token -> Google's token endpoint  (RFC 6749, 6)
 *     metadata server   a GET that only a machine of Google's can make
 *
 * The rest, sending, keeping and making anew in time, is llm/token's.  The metadata server is a
 * plain address that means something else outside of Google's network, so it is asked by this
 * file alone, without a proxy, and only when nothing else is there; what else was looked for is
 * kept for the error that it may end in.
 */
#include "llm/google/auth.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "base/time.h"
#include "http/json.h"
#include "llm/token.h"
#include "sys/read_file.h"

#define FILE_MAX ((size_t)256 * 1024)
#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define TOKEN_URI "https://oauth2.googleapis.com/token"
#define METADATA_HOST "metadata.google.internal"
#define LIVES_S 3600 /* of a JWT: the most that is taken */

enum kind { ACCOUNT, USER, MACHINE };

struct owner { /* constant once made */
    struct km_arena arena; /* holds it */
    enum kind kind;
    struct km_str email, key_id, token_uri;
    struct km_str client_id, metadata_url;
    struct km_secret key, client_secret, refresh_token;
};

static void owner_free(void *p)
{
    struct owner *o = p;
    struct km_arena arena = o->arena;

    km_secret_done(&o->key);
    km_secret_done(&o->client_secret);
    km_secret_done(&o->refresh_token);
    km_arena_done(&arena);
}

static struct owner *owner_new(void)
{
    struct km_arena arena;
    struct owner *o;

    km_arena_init(&arena, 64 * 1024, NULL);
    o = km_arena_zalloc(&arena, sizeof *o);
    if (!o) {
        km_arena_done(&arena);
        return NULL;
    }
    o->arena = arena;
    o->kind = MACHINE;
    return o;
}

/* --- asking --- */

static void put_claims(const struct owner *o, struct km_buf *out)
{
    int64_t now = km_wall_us() / 1000000;

    km_buf_str(out, KM_STR("{\"iss\":"));
    km_buf_json(out, o->email);
    km_buf_str(out, KM_STR(",\"scope\":\"" SCOPE "\",\"aud\":"));
    km_buf_json(out, o->token_uri);
    km_buf_printf(out, ",\"iat\":%lld,\"exp\":%lld}", (long long)now, (long long)(now + LIVES_S));
}

/* header.claims.signature */
static int put_jwt(const struct owner *o, struct km_buf *out, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_buf signature KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    int r;

    km_buf_str(&text, KM_STR("{\"alg\":\"RS256\",\"typ\":\"JWT\""));
    if (o->key_id.n) {
        km_buf_str(&text, KM_STR(",\"kid\":"));
        km_buf_json(&text, o->key_id);
    }
    km_buf_byte(&text, '}');
    km_buf_base64url(out, km_buf_view(&text));
    km_buf_byte(out, '.');
    km_buf_reset(&text);
    put_claims(o, &text);
    km_buf_base64url(out, km_buf_view(&text));
    r = km_rs256_sign(km_secret_view(&o->key), km_buf_view(out), &signature, err);
    km_buf_byte(out, '.');
    km_buf_base64url(out, km_buf_view(&signature));
    if (r == 0 && km_buf_failed(out))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    return r;
}

static int ask_account(const struct owner *o, struct km_buf *form, struct km_err *err)
{
    struct km_buf jwt KM_CLEANUP(km_buf_done) = KM_BUF(32 * 1024);
    int r = put_jwt(o, &jwt, err);

    km_token_field(form, "grant_type", KM_STR("urn:ietf:params:oauth:grant-type:jwt-bearer"));
    km_token_field(form, "assertion", km_buf_view(&jwt));
    return r;
}

static int ask(void *owner, struct km_arena *arena, struct km_token_request *ret,
               struct km_err *err)
{
    struct km_buf form KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    const struct owner *o = owner;
    int r = 0;

    if (o->kind == MACHINE) {
        *ret = (struct km_token_request){ .method = "GET",
                                          .url = o->metadata_url,
                                          .head = KM_STR("Metadata-Flavor: Google\r\n"),
                                          .straight = true };
        return 0;
    }
    if (o->kind == ACCOUNT) {
        r = ask_account(o, &form, err);
    } else {
        km_token_field(&form, "grant_type", KM_STR("refresh_token"));
        km_token_field(&form, "client_id", o->client_id);
        km_token_field(&form, "client_secret", km_secret_view(&o->client_secret));
        km_token_field(&form, "refresh_token", km_secret_view(&o->refresh_token));
    }
    ret->url = o->token_uri;
    ret->form = km_arena_str(arena, km_buf_view(&form));
    km_wipe(form.p, form.n);
    if (r == 0 && (km_buf_failed(&form) || km_arena_overflowed(arena)))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    return r;
}

/* --- reading --- */

static bool take(struct owner *o, const struct km_json *root, const char *name, struct km_str *ret)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_get(root, name), &s);
    *ret = km_arena_str(&o->arena, s);
    return s.n > 0;
}

static bool take_secret(const struct km_json *root, const char *name, struct km_secret *ret)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_get(root, name), &s);
    return s.n && km_secret_init(ret, s) == 0;
}

static int missing(struct km_err *err, struct km_str from, const char *what)
{
    return km_fail(err, KM_E_CONFIG, "Google credentials of %.*s: %s", KM_STR_ARG(from), what);
}

static int read_account(struct owner *o, const struct km_json *root, struct km_str from,
                        struct km_err *err)
{
    struct km_buf probe KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_err why = { 0 };

    o->kind = ACCOUNT;
    (void)take(o, root, "private_key_id", &o->key_id);
    if (!take(o, root, "client_email", &o->email))
        return missing(err, from, "client_email is missing");
    if (!take_secret(root, "private_key", &o->key))
        return missing(err, from, "private_key is missing");
    if (km_rs256_sign(km_secret_view(&o->key), KM_STR("probe"), &probe, &why) < 0)
        return missing(err, from, why.text);
    return 0;
}

static int read_user(struct owner *o, const struct km_json *root, struct km_str from,
                     struct km_err *err)
{
    o->kind = USER;
    if (!take(o, root, "client_id", &o->client_id) ||
        !take_secret(root, "client_secret", &o->client_secret) ||
        !take_secret(root, "refresh_token", &o->refresh_token))
        return missing(err, from, "client_id, client_secret and refresh_token are needed");
    return 0;
}

static int read_json(struct owner *o, struct km_str text, struct km_str from,
                     struct km_str *ret_project, struct km_err *err)
{
    struct km_arena arena KM_CLEANUP(km_arena_done);
    const struct km_json *root;
    struct km_str type = KM_STR_NONE, project = KM_STR_NONE;
    struct km_url url;

    km_arena_init(&arena, 16 * FILE_MAX, NULL);
    if (km_json_parse(&arena, text, &root, NULL) < 0 || km_json_kind(root) != KM_JSON_OBJECT)
        return missing(err, from, "it is no JSON object");
    if (!take(o, root, "token_uri", &o->token_uri))
        o->token_uri = KM_STR(TOKEN_URI);
    if (km_url_parse(o->token_uri, &url, NULL) < 0)
        return missing(err, from, "token_uri is no http(s) URL");
    if (!km_json_string(km_json_get(root, "project_id"), &project))
        (void)km_json_string(km_json_get(root, "quota_project_id"), &project);
    *ret_project = km_arena_str(&o->arena, project);
    (void)km_json_string(km_json_get(root, "type"), &type);
    if (km_str_eq(type, KM_STR("service_account")))
        return read_account(o, root, from, err);
    if (km_str_eq(type, KM_STR("authorized_user")))
        return read_user(o, root, from, err);
    return km_fail(err, KM_E_CONFIG,
                   "Google credentials of %.*s: type '%.*s' is neither service_account nor "
                   "authorized_user",
                   KM_STR_ARG(from), KM_STR_ARG(km_str_sub(type, 0, 40)));
}

/* value: a path, or the JSON itself.  KM_E_NOT_FOUND when it is a path to nothing. */
static int read_value(struct owner *o, struct km_arena *arena, struct km_str value,
                      const char *name, struct km_str *ret_project, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(FILE_MAX);
    struct km_str s = km_str_trim(value);
    struct km_err why;
    int r;

    if (s.n && s.p[0] == '{')
        return read_json(o, s, km_str_c(name), ret_project, err);
    r = km_file_read(km_arena_cstr(arena, s), KM_FILE_REGULAR, &text, &why);
    if (r < 0)
        r = km_fail(err, r == KM_E_NOT_FOUND ? r : KM_E_CONFIG, "'%.*s' cannot be read: %s",
                    KM_STR_ARG(s), why.text);
    else
        r = read_json(o, km_buf_view(&text), s, ret_project, err);
    km_wipe(text.p, text.n);
    return r;
}

/* --- choosing --- */

static struct km_str env(const struct km_google_args *args, const char *name)
{
    struct km_str value = KM_STR_NONE;

    return km_config_getenv(args->config, name, &value) ? value : KM_STR_NONE;
}

static struct km_str gcloud_file(const struct km_google_args *args, struct km_arena *arena)
{
    struct km_str folder = env(args, "CLOUDSDK_CONFIG"), home = env(args, "HOME");

    if (folder.n)
        return km_arena_cat(
            arena, (struct km_str[]){ folder, KM_STR("/application_default_credentials.json") }, 2);
    return home.n ? km_arena_cat(arena,
                                 (struct km_str[]){
                                     home, KM_STR("/.config/gcloud/application_default_credentials"
                                                  ".json") },
                                 2)
                  : KM_STR_NONE;
}

static void use_machine(struct owner *o, const struct km_google_args *args)
{
    struct km_str host = env(args, "GCE_METADATA_HOST");

    o->kind = MACHINE;
    o->metadata_url = km_arena_printf(
        &o->arena, "http://%.*s/computeMetadata/v1/instance/service-accounts/default/token",
        KM_STR_ARG(host.n ? host : KM_STR(METADATA_HOST)));
}

/* What is named must be usable; gcloud's file may be missing. */
static int choose(struct owner *o, const struct km_google_args *args, struct km_arena *arena,
                  struct km_str *ret_project, struct km_err *err)
{
    static const char *const names[] = { "VERTEXAI_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS" };
    struct km_str value;
    int r;

    if (args->credentials.n)
        return read_value(o, arena, args->credentials, "vertex_credentials", ret_project, err);
    for (size_t i = 0; i < 2; i++) {
        value = env(args, names[i]);
        if (value.n)
            return read_value(o, arena, value, names[i], ret_project, err);
    }
    value = gcloud_file(args, arena);
    r = value.n ? read_value(o, arena, value, "gcloud", ret_project, err) : KM_E_NOT_FOUND;
    if (r != KM_E_NOT_FOUND)
        return r;
    use_machine(o, args);
    return 0;
}

/* A static text for messages: where the token was asked for, and what was not there before. */
static const char *issuer_of(const struct owner *o)
{
    if (o->kind != MACHINE)
        return o->kind == ACCOUNT ? "Google (service account)" : "Google (authorized user)";
    return "No Google credentials: vertex_credentials, VERTEXAI_CREDENTIALS and "
           "GOOGLE_APPLICATION_CREDENTIALS are not set, gcloud has none "
           "(application_default_credentials.json), and the metadata server gave none";
}

int km_google_auth_new(const struct km_google_args *args, struct km_arena *arena,
                       struct km_auth **ret_auth, struct km_str *ret_project, struct km_err *err)
{
    struct owner *o = owner_new();
    struct km_str project = KM_STR_NONE;
    struct km_auth *auth;
    int r = o ? choose(o, args, arena, &project, err) : km_fail(err, KM_E_NOMEM, "out of memory");

    if (r < 0) {
        if (o)
            owner_free(o);
        if (r == KM_E_NOT_FOUND && err)
            err->code = KM_E_CONFIG;
        return r == KM_E_NOT_FOUND ? KM_E_CONFIG : r;
    }
    *ret_project = km_arena_str(arena, project);
    auth = km_token_auth_new(&(struct km_token_args){ .issuer = issuer_of(o),
                                                      .tls = args->tls,
                                                      .proxies = args->proxies,
                                                      .owner = o,
                                                      .ask = ask,
                                                      .free = owner_free },
                             err);
    if (!auth)
        return KM_E_NOMEM;
    *ret_auth = auth;
    return 0;
}
