/* SPDX-License-Identifier: Apache-2.0 */
/* Deployments of Vertex AI and the Gemini API: where they are, and who the gateway is to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "llm/auth.h"
#include "llm/model.h"
#include "llm/routes.h"
#include "policy/economy.h"
#include "policy/gateway_budget.h"
#include "llm/provider/codecs.h"

static const struct km_settings_table *const tables[] = {
    &km_model_settings_table,
    &km_llm_defaults_table,
    &km_router_settings_table,
    &km_route_settings_table,
    &km_economy_settings_table,
    &km_gateway_budget_settings_table,
    NULL,
};

struct fixture {
    struct km_config *config;
    struct km_diags *diags;
    struct km_models *models;
    struct km_tls_client *tls;
    char dir[32];
    struct km_buf account; /* a service account's JSON */
};

/* The key as the JSON of a service account has it, made for this run. */
static void make_account(struct km_buf *out)
{
    static EVP_PKEY *key; /* one for all tests: making it is most of their time */
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    long n;

    if (!key)
        key = EVP_RSA_gen(2048);
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    n = BIO_get_mem_data(bio, &pem);
    km_buf_str(out, KM_STR("{\"type\":\"service_account\",\"project_id\":\"from-file\","
                           "\"client_email\":\"me@x\",\"private_key\":"));
    km_buf_json(out, km_str(pem, (size_t)n));
    km_buf_byte(out, '}');
    BIO_free(bio);
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    snprintf(f->dir, sizeof f->dir, "/tmp/kanmon-vertex-XXXXXX");
    km_buf_init(&f->account, 16384);
    *state = f;
    if (!mkdtemp(f->dir))
        return -1;
    make_account(&f->account);
    write_file(f, "account.json", km_buf_cstr(&f->account));
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = { "account.json", "user.json", "config.yaml" };
    struct fixture *f = *state;
    char path[64];

    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        unlink(path);
    }
    rmdir(f->dir);
    km_models_free(f->models);
    km_tls_client_unref(f->tls);
    km_config_unref(f->config);
    km_diags_free(f->diags);
    km_buf_done(&f->account);
    free(f);
    return 0;
}

/* Loads one model with these litellm_params and this environment. */
static const struct km_deployment *load(struct fixture *f, const char *params,
                                        const char *const *variables)
{
    char path[64], yaml[2048];
    struct km_config_args args = { .file = path, .tables = tables, .environ = variables };
    struct km_models_args margs = { 0 };
    struct km_tls_client_args tls = { 0 };
    struct km_model_match m;
    struct km_err err = { 0 };

    snprintf(path, sizeof path, "%s/config.yaml", f->dir);
    snprintf(yaml, sizeof yaml, "model_list:\n  - model_name: m\n    litellm_params: {%s}\n",
             params);
    write_file(f, "config.yaml", yaml);
    f->diags = km_diags_new();
    if (km_config_load(&args, f->diags, &f->config, &err) < 0)
        fail_msg("%s", err.text);
    margs.config = f->config;
    assert_int_equal(km_tls_client_new(&tls, &f->tls, &err), 0);
    margs.tls = margs.tls_insecure = f->tls;
    assert_int_equal(km_models_new(&margs, f->diags, &f->models, &err), 0);
    assert_int_equal(km_models_find(f->models, KM_STR("m"), &m, NULL), 0);
    return m.v[0].deployment;
}

static const char *text(const struct km_str *s)
{
    static char b[512];

    snprintf(b, sizeof b, "%.*s", KM_STR_ARG(*s));
    return b;
}

static const char *const nothing[] = { NULL };

static void gemini_is_asked_with_its_own_key_field_and_version(void **state)
{
    static const char *const variables[] = { "GOOGLE_API_KEY=AIza", NULL };
    const struct km_deployment *d = load(*state, "model: gemini/gemini-2.5-pro", variables);

    assert_int_equal(d->unavailable.n, 0);
    assert_string_equal(text(&d->origin->host), "generativelanguage.googleapis.com");
    assert_string_equal(text(&d->base_path), "/v1beta");
    assert_true(km_str_find(d->head, KM_STR("x-goog-api-key: AIza\r\n")) < d->head.n);
    assert_ptr_equal(d->codec, &km_codec_gemini);
    assert_null(d->auth);
}

static void a_base_with_a_version_keeps_it(void **state)
{
    const struct km_deployment *d = load(
        *state, "model: gemini/g, api_key: k, api_base: 'http://127.0.0.1:1/x/v1alpha'", nothing);

    assert_string_equal(text(&d->base_path), "/x/v1alpha");
}

static void another_version_can_be_said(void **state)
{
    const struct km_deployment *d =
        load(*state, "model: gemini/g, api_key: k, api_version: v1", nothing);

    assert_string_equal(text(&d->base_path), "/v1");
}

static void a_service_account_names_its_project(void **state)
{
    struct fixture *f = *state;
    char params[128];
    const struct km_deployment *d;

    snprintf(params, sizeof params,
             "model: vertex_ai/gemini-2.5-pro, vertex_credentials: %s/account.json", f->dir);
    d = load(f, params, nothing);
    assert_string_equal(text(&d->unavailable), "");
    assert_string_equal(text(&d->origin->host), "us-central1-aiplatform.googleapis.com");
    assert_string_equal(text(&d->base_path), "/v1/projects/from-file/locations/us-central1");
    assert_non_null(d->auth);
    assert_ptr_equal(d->codec, &km_codec_gemini_vertex);
}

static void variables_say_what_the_file_does_not(void **state)
{
    struct fixture *f = *state;
    char credentials[96];
    const char *variables[] = { "VERTEXAI_PROJECT=p", "VERTEXAI_LOCATION=global", credentials,
                                NULL };
    const struct km_deployment *d;

    snprintf(credentials, sizeof credentials, "GOOGLE_APPLICATION_CREDENTIALS=%s/account.json",
             f->dir);
    d = load(f, "model: vertex_ai/claude-sonnet-4-5@20250929", variables);
    assert_string_equal(text(&d->unavailable), "");
    assert_string_equal(text(&d->origin->host), "aiplatform.googleapis.com");
    assert_string_equal(text(&d->base_path), "/v1/projects/p/locations/global");
    assert_non_null(d->auth);
    assert_string_equal(d->codec->name, "Anthropic Messages on Vertex AI");
}

static void a_region_of_many_has_a_host_of_its_own(void **state)
{
    const struct km_deployment *d =
        load(*state, "model: vertex_ai/g, vertex_project: p, vertex_location: eu", nothing);

    assert_string_equal(text(&d->origin->host), "aiplatform.eu.rep.googleapis.com");
    assert_non_null(d->auth); /* the machine's own */
}

static void an_api_key_stands_in_for_credentials(void **state)
{
    const struct km_deployment *d =
        load(*state, "model: vertex_ai/g, api_key: AQ.x, vertex_location: global", nothing);

    assert_string_equal(text(&d->unavailable), "");
    assert_string_equal(text(&d->base_path), "/v1");
    assert_null(d->auth);
    assert_true(km_str_find(d->head, KM_STR("x-goog-api-key: AQ.x\r\n")) < d->head.n);
}

static void claudes_paths_have_the_model_and_the_method(void **state)
{
    struct fixture *f = *state;
    const struct km_deployment *d =
        load(f, "model: vertex_ai/claude-x@1, vertex_project: p", nothing);
    struct km_target_args args = { .d = d, .model = KM_STR("claude-x@1"), .wire = KM_WIRE_CHAT };
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_str path;

    km_arena_init(&arena, 65536, NULL);
    path = d->codec->target(&args, &arena);
    assert_string_equal(text(&path), "/publishers/anthropic/models/claude-x@1:rawPredict");
    args.stream = true;
    path = d->codec->target(&args, &arena);
    assert_string_equal(text(&path), "/publishers/anthropic/models/claude-x@1:streamRawPredict");
}

static const char *why(struct fixture *f, const char *params)
{
    const struct km_deployment *d = load(f, params, nothing);

    return text(&d->unavailable);
}

static void a_missing_file_is_named(void **state)
{
    assert_string_equal(why(*state, "model: vertex_ai/g, vertex_project: p, vertex_credentials: "
                                    "/nowhere/a.json"),
                        "'/nowhere/a.json' cannot be read: No such file or directory");
}

static void credentials_of_another_type_are_refused(void **state)
{
    assert_non_null(strstr(why(*state, "model: vertex_ai/g, vertex_project: p, vertex_credentials:"
                                       " '{\"type\":\"external_account\"}'"),
                           "type 'external_account' is neither"));
}

static void a_key_that_is_none_is_refused_without_being_shown(void **state)
{
    const char *said = why(*state, "model: vertex_ai/g, vertex_project: p, vertex_credentials: "
                                   "'{\"type\":\"service_account\",\"client_email\":\"e\","
                                   "\"private_key\":\"hush\"}'");

    assert_non_null(strstr(said, "the private key is no RSA key in PEM"));
    assert_null(strstr(said, "hush"));
}

static void a_user_needs_a_refresh_token(void **state)
{
    assert_non_null(strstr(why(*state, "model: vertex_ai/g, vertex_project: p, vertex_credentials:"
                                       " '{\"type\":\"authorized_user\",\"client_id\":\"i\"}'"),
                           "refresh_token are needed"));
}

static void a_project_is_needed(void **state)
{
    assert_non_null(strstr(why(*state, "model: vertex_ai/g"), "needs vertex_project"));
}

static void a_place_that_is_no_name_is_refused(void **state)
{
    assert_non_null(strstr(why(*state, "model: vertex_ai/g, vertex_project: p, vertex_location: "
                                       "'evil.example/'"),
                           "is no name"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(gemini_is_asked_with_its_own_key_field_and_version),
        T(a_base_with_a_version_keeps_it),
        T(another_version_can_be_said),
        T(a_service_account_names_its_project),
        T(variables_say_what_the_file_does_not),
        T(a_region_of_many_has_a_host_of_its_own),
        T(an_api_key_stands_in_for_credentials),
        T(claudes_paths_have_the_model_and_the_method),
        T(a_missing_file_is_named),
        T(credentials_of_another_type_are_refused),
        T(a_key_that_is_none_is_refused_without_being_shown),
        T(a_user_needs_a_refresh_token),
        T(a_project_is_needed),
        T(a_place_that_is_no_name_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
