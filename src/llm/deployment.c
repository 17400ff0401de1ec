/* SPDX-License-Identifier: Apache-2.0 */
/* deployment.c - from what a configuration says of a model to something that can be called.
 *
 * All that does not depend on a request is done here, once: the origin, the path, the header
 * lines with the key, the default parameters as JSON, the price.  A call then only adds spans.
 *
 * An entry that cannot work (no base, a provider that is not served, a missing key) does not
 * stop the gateway: the others must go on.  It is reported as a warning where it stands and
 * answers with that same reason when it is called.
 */
#include <stdatomic.h>
#include <stdio.h>

#include <stdatomic.h>
#include "base/crypto.h"
#include "base/encode.h"
#include "http/message.h"
#include "llm/api/priced.h"
#include "llm/auth.h"
#include "llm/cooldown.h"
#include "llm/model_build.h"
#include "llm/provider/codecs.h"
#include "llm/spellings.h"

#define HEAD_MAX (32 * 1024)

void km_deployment_unavailable(struct km_deployment *d, const struct km_model_build *b,
                               const struct km_model_entry *entry, const char *help,
                               struct km_str why)
{
    if (d->unavailable.n)
        return;
    d->unavailable = why;
    km_diag_add_each(b->diags, KM_DIAG_WARNING, "W0301", entry->node, help,
                     km_arena_printf(b->arena, "model '%.*s'", KM_STR_ARG(d->group)),
                     km_arena_printf(b->arena, " cannot be called: %.*s", KM_STR_ARG(why)),
                     km_arena_printf(b->arena, "models cannot be called: %.*s", KM_STR_ARG(why)));
}

bool km_deployment_lends_none(struct km_deployment *d, const struct km_model_build *b,
                              const struct km_model_entry *entry, bool has_own)
{
    if (has_own || d->mock_response.n || !km_model_entry_alone(entry))
        return false;
    km_deployment_unavailable(d, b, entry, "store its credentials with it",
                              KM_STR("a stored model that names its address has to bring its own "
                                     "credentials"));
    return true;
}

/* Which provider, and the model's name there. */
static void resolve_provider(struct km_deployment *d, const struct km_model_build *b,
                             const struct km_model_entry *entry)
{
    const struct km_litellm_params *p = &entry->params;
    struct km_str name, model;

    km_provider_split(p->model, &name, &model);
    if (p->custom_llm_provider.n)
        name = p->custom_llm_provider;
    if (!name.n && (p->api_base.n || p->base_url.n))
        name = KM_STR("openai_like"); /* LiteLLM needs a prefix; a base says enough */
    d->provider_name = km_arena_str(b->arena, name);
    d->upstream_model = km_arena_str(b->arena, model);
    d->provider = km_provider_find(name);
    if (d->provider) {
        d->codec = d->provider->codec ? d->provider->codec : &km_codec_openai_compatible;
        return;
    }
    if (!name.n)
        km_deployment_unavailable(d, b, entry,
                                  "write '<provider>/<model>', for example 'openai/gpt-4o'",
                                  KM_STR("its provider cannot be told from the name"));
    else
        km_deployment_unavailable(d, b, entry, "see docs/configuration.md for the providers served",
                                  km_arena_printf(b->arena,
                                                  "provider '%.*s' is not served by this version",
                                                  KM_STR_ARG(name)));
}

static struct km_str strip_slashes(struct km_str s)
{
    while (s.n && s.p[s.n - 1] == '/')
        s.n--;
    return s;
}

static struct km_str base_of(const struct km_deployment *d, const struct km_model_build *b,
                             const struct km_model_entry *entry)
{
    struct km_str base = entry->params.api_base.n ? entry->params.api_base : entry->params.base_url;

    if (!base.n && d->provider->base_env)
        base = km_deployment_env(b, d->provider->base_env);
    return base.n ? base : km_str_c(d->provider->base);
}

bool km_llm_verifies(const struct km_llm_defaults *llm, struct km_arena *arena,
                     const char **ret_ca_file)
{
    const struct km_node *said = llm->ssl_verify;
    const bool is_switch =
        said && (said->type == KM_NODE_BOOL || !said->text.n ||
                 km_str_ieq(said->text, KM_STR("true")) || km_str_ieq(said->text, KM_STR("false")));

    *ret_ca_file = said && !is_switch ? km_arena_cstr(arena, said->text) : NULL;
    if (!said || !is_switch)
        return true;
    return said->type == KM_NODE_BOOL ? said->b : !km_str_ieq(said->text, KM_STR("false"));
}

struct km_tls_client *km_deployment_tls(const struct km_model_build *b,
                                        const struct km_model_entry *entry)
{
    const bool said =
        entry->params.all && km_node_get(entry->params.all, KM_STR("ssl_verify")) != NULL;

    return (said ? entry->params.ssl_verify : !b->args->unverified) ? b->args->tls
                                                                    : b->args->tls_insecure;
}

int km_deployment_base(struct km_deployment *d, const struct km_model_build *b,
                       const struct km_model_entry *entry, struct km_str base, struct km_err *err)
{
    struct km_err why = { 0 };
    struct km_url url;
    int r;

    if (km_url_parse(strip_slashes(base), &url, &why) < 0) {
        km_deployment_unavailable(d, b, entry, "api_base is like 'https://host/v1'",
                                  km_arena_printf(b->arena, "api_base: %s", why.text));
        return 0;
    }
    d->origin = km_origin_unref(d->origin);
    r = km_origin_new(url.https, url.host, url.port, km_deployment_tls(b, entry), b->args->proxies,
                      km_model_entry_stored(entry) ? KM_GUARD_METADATA : KM_GUARD_NONE, &d->origin,
                      err);
    if (r < 0)
        return r;
    url.path = km_str_sub(url.path, 0, km_str_chr(url.path, '?'));
    d->base_path = d->provider->rule == KM_BASE_ADD_V1 && !km_str_ends(url.path, KM_STR("/v1"))
                       ? km_arena_printf(b->arena, "%.*s/v1", KM_STR_ARG(url.path))
                       : km_arena_str(b->arena, url.path);
    d->api_base = km_arena_printf(b->arena, "%s://%.*s%.*s", url.https ? "https" : "http",
                                  KM_STR_ARG(d->origin->host_header), KM_STR_ARG(d->base_path));
    return 0;
}

/* Origin and path of the upstream. */
static int resolve_base(struct km_deployment *d, const struct km_model_build *b,
                        const struct km_model_entry *entry, struct km_err *err)
{
    struct km_str base = base_of(d, b, entry);

    if (base.n)
        return km_deployment_base(d, b, entry, base, err);
    if (!d->provider->build)
        km_deployment_unavailable(
            d, b, entry, "set litellm_params.api_base",
            km_arena_printf(b->arena, "provider '%s' needs api_base", d->provider->name));
    return 0;
}

static int put_key(struct km_buf *head, const char *field, struct km_str key, struct km_err *err)
{
    struct km_buf bearer KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_MAX);
    int r;

    if (field)
        return km_header_put(head, km_str_c(field), key, err);
    km_buf_str(&bearer, KM_STR("Bearer "));
    km_buf_str(&bearer, key);
    r = km_header_put(head, KM_STR("Authorization"), km_buf_view(&bearer), err);
    km_wipe(bearer.p, bearer.n);
    return r;
}

void km_deployment_head(struct km_deployment *d, const struct km_model_build *b,
                        const struct km_model_entry *entry, const char *field, struct km_str key)
{
    const struct km_litellm_params *p = &entry->params;
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_MAX);
    struct km_err err;
    int r = km_header_put(&head, KM_STR("Content-Type"), KM_STR("application/json"), &err);

    if (d->provider->head)
        km_buf_str(&head, km_str_c(d->provider->head));
    if (r == 0 && key.n)
        r = put_key(&head, field, key, &err);
    if (r == 0 && p->organization.n)
        r = km_header_put(&head, KM_STR("OpenAI-Organization"), p->organization, &err);
    for (size_t i = 0; r == 0 && i < p->extra_headers.n; i++)
        r = km_header_put(&head, p->extra_headers.v[i].name, p->extra_headers.v[i].value, &err);
    if (r < 0 || km_buf_failed(&head)) {
        km_deployment_unavailable(d, b, entry, "header fields hold no line breaks or control bytes",
                                  KM_STR("its key or extra_headers cannot be sent as header "
                                         "fields"));
        return;
    }
    d->head = km_arena_str(b->arena, km_buf_view(&head));
    km_wipe(head.p, head.n);
}

/* The header lines every request to it carries. */
static void build_head(struct km_deployment *d, const struct km_model_build *b,
                       const struct km_model_entry *entry)
{
    const struct km_litellm_params *p = &entry->params;
    struct km_str key = km_deployment_key(d, b, entry);
    bool own_base = p->api_base.n || p->base_url.n;

    if (!key.n && d->provider->key_needed && !own_base && !d->mock_response.n)
        km_deployment_unavailable(
            d, b, entry, "set it in the environment, in .env or as litellm_params.api_key",
            km_arena_printf(b->arena, "no API key: %s is not set", d->provider->key_env[0]));
    km_deployment_head(d, b, entry, d->provider->key_field, key);
}

/* What every answer of it says; an id that cannot stand in a header is left out. */
static void build_reply_head(struct km_deployment *d, const struct km_model_build *b)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_MAX);
    struct km_err ignored;

    if (km_header_put(&head, KM_STR("x-litellm-model-id"), d->id, &ignored) < 0)
        km_buf_reset(&head);
    if (d->api_base.n &&
        km_header_put(&head, KM_STR("x-litellm-model-api-base"), d->api_base, &ignored) < 0)
        km_buf_reset(&head);
    d->reply_head = km_arena_str(b->arena, km_buf_view(&head));
}

void km_deployment_learn_maximum(struct km_deployment *d, int64_t tokens)
{
    if (tokens > 0)
        atomic_store_explicit(&d->learnt_max_output, tokens, memory_order_relaxed);
}

int64_t km_deployment_learnt_maximum(const struct km_deployment *d)
{
    int64_t tokens = atomic_load_explicit(&d->learnt_max_output, memory_order_relaxed);

    return tokens > 0 ? tokens : -1;
}

/* What the defaults mean for the most that a call can cost. */
static void note_bounds(struct km_deployment *d)
{
    d->default_output = -1;
    d->default_choices = 1;
    d->learnt_max_output = -1;
    for (size_t i = 0; i < d->ndefaults; i++) {
        struct km_str name = d->defaults[i].name;
        bool choices = km_str_eq(name, KM_STR("n")) || km_str_eq(name, KM_STR("best_of"));
        bool output = km_spelling_bounds(name);
        int64_t *bound = choices ? &d->default_choices : &d->default_output;
        int64_t v;

        if ((choices || output) && km_str_i64(d->defaults[i].json, &v) == 0 && v > *bound)
            *bound = v < KM_LLM_TOKENS_MOST ? v : KM_LLM_TOKENS_MOST;
    }
}

/* What they ask of the provider beside: as if they stood in a request's body. */
static void note_priced(struct km_deployment *d, struct km_arena *arena)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    struct km_llm_priced *p = km_arena_zalloc(arena, sizeof *p);

    for (size_t i = 0; i < d->ndefaults; i++) {
        km_buf_byte(&text, i ? ',' : '{');
        km_buf_json(&text, d->defaults[i].name);
        km_buf_byte(&text, ':');
        km_buf_str(&text, d->defaults[i].json);
    }
    km_buf_byte(&text, '}');
    if (!p || !d->ndefaults)
        return;
    if (km_buf_failed(&text) ||
        km_llm_priced_object(km_buf_view(&text), KM_PRICED_ANY, arena, p, NULL) < 0) {
        p->unpriced = KM_STR("litellm_params.tools");
        p->remedy = "Correct these tools of the deployment.";
    }
    if (p->said || p->tools || p->unpriced.n || p->opens_input)
        d->priced = p;
}

struct km_price km_deployment_price(const struct km_deployment *d, const struct km_model_build *b,
                                    const struct km_model_entry *entry)
{
    struct km_priced_as as = { .base = entry->info.base_model.n ? entry->info.base_model
                                                                : entry->params.base_model };

    km_provider_split(as.base, &as.provider, &as.model);
    return km_deployment_price_as(d, b, entry, &as);
}

int64_t km_deployment_max_output(const struct km_deployment *d, const struct km_price *price)
{
    int64_t learnt = km_deployment_learnt_maximum(d);

    if (learnt > 0 && (price->max_output_tokens <= 0 || learnt < price->max_output_tokens))
        return learnt;
    return price->max_output_tokens > 0 ? price->max_output_tokens : -1;
}

/* model_info.id, or a digest of the entry: the same entry has the same id after a restart. */
static struct km_str id_of(const struct km_model_build *b, const struct km_model_entry *entry)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    char hex[2 * KM_SHA256_LEN + 1];

    if (entry->info.id.n)
        return km_arena_str(b->arena, entry->info.id);
    km_node_json(entry->node, &json);
    km_sha256_hex(km_buf_view(&json), hex);
    return km_arena_str(b->arena, km_str_c(hex));
}

int km_deployment_init(struct km_deployment *d, const struct km_model_build *b,
                       const struct km_model_entry *entry, const struct km_provider *provider,
                       struct km_err *err)
{
    int r = 0;

    d->id = d->budget_id = id_of(b, entry);
    d->max_budget = entry->params.max_budget;
    d->budget_duration = entry->params.budget_duration;
    d->group = km_arena_str(b->arena, entry->model_name);
    d->model = km_arena_str(b->arena, entry->params.model);
    d->timeout_ms = entry->params.timeout_ms;
    d->stream_timeout_ms = entry->params.stream_timeout_ms;
    d->num_retries = entry->params.num_retries;
    d->weight = entry->params.weight;
    d->breaking = km_cooldown_of_entry(entry, b->arena);
    d->silent = entry->params.silent_model.n ? &entry->params.silent_model : NULL;
    d->silent_percent = entry->params.silent_percent;
    d->resume = (enum km_resume_said)entry->params.resume;
    d->check =
        (struct km_deployment_check){ .mode = km_arena_str(b->arena, entry->info.mode),
                                      .model = km_arena_str(b->arena, entry->info.check_model),
                                      .timeout_ms = entry->info.check_timeout_ms,
                                      .max_tokens = entry->info.check_max_tokens,
                                      .off = entry->info.check_off };
    d->order = entry->params.order;
    d->rpm = entry->params.rpm;
    d->tpm = entry->params.tpm;
    d->max_parallel = entry->params.max_parallel;
    d->mock_response = km_arena_str(b->arena, entry->params.mock_response);
    d->lends = entry->params.use_in_pass_through;
    d->at = entry->node;
    d->stored = km_model_entry_stored(entry);
    if (provider) {
        d->provider = provider;
        d->provider_name = km_str_c(provider->name);
        d->codec = provider->codec ? provider->codec : &km_codec_openai_compatible;
        d->upstream_model = KM_STR("*");
    } else {
        resolve_provider(d, b, entry);
    }
    d->price = km_deployment_price(d, b, entry);
    d->pace = b->args->paces ? km_paces_of(b->args->paces, d->id) : NULL;
    km_deployment_rules(d, b, entry);
    km_deployment_defaults(d, b, entry);
    note_bounds(d);
    note_priced(d, b->arena);
    if (d->provider)
        r = resolve_base(d, b, entry, err);
    if (r == 0 && d->provider && (d->origin || d->provider->build))
        build_head(d, b, entry);
    if (r == 0 && d->provider && d->provider->build)
        r = d->provider->build(d, b, entry, err);
    km_deployment_know_model(d);
    km_deployment_facts(d, b, entry);
    km_deployment_check_sampling(d, b, entry);
    build_reply_head(d, b);
    if (d->mock_response.n)
        d->unavailable = KM_STR_NONE; /* it calls nobody */
    if (r == 0 && km_arena_overflowed(b->arena))
        r = km_fail(err, KM_E_NOMEM, "too many models for their memory");
    return r;
}

void km_deployment_done(struct km_deployment *d)
{
    d->origin = km_origin_unref(d->origin);
    if (d->auth)
        d->auth = d->auth->ops->free(d->auth);
}
