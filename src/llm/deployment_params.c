/* SPDX-License-Identifier: Apache-2.0 */
/* deployment_params.c - what of litellm_params goes into requests, and what is said of the rest.
 *
 * A name without a row is judged by param.c.  What does not depend on the provider is said once an
 * entry (km_deployment_params_check()); what does is settled with the deployment:
 *
 *                          OpenAI-compatible        requests are translated
 *     a request's param.   a default, as it is      a default, where the codec carries it; else
 *                                                   said, and left out
 *     anything else        as it is, and said       said, and left out
 *     extra_body           as it is                 as it is, where no parameter says the same
 *
 * So a call never fails for what only the configuration's owner can mend.  What is said, is said
 * once a name (and provider): a file may have hundreds of models.
 */
#include "llm/model_build.h"

#include <math.h>

#include "http/json.h"
#include "http/json_drop.h"
#include "llm/api/openai.h"
#include "llm/codec.h"
#include "llm/param.h"

#define WHERE "litellm_params.%.*s"
#define DEFAULT_BYTES ((size_t)1024 * 1024)

struct km_model_said {
    struct km_model_said *next;
    struct km_str what;
};

/* Is this the first time? */
static bool first(const struct km_model_build *b, struct km_str what)
{
    struct km_model_said *s = b->said ? *b->said : NULL;

    while (s && !km_str_eq(s->what, what))
        s = s->next;
    if (s)
        return false;
    s = b->said ? km_arena_alloc(b->arena, sizeof *s) : NULL;
    if (s) {
        *s = (struct km_model_said){ *b->said, what };
        *b->said = s;
    }
    return true;
}

static bool first_of(const struct km_model_build *b, const char *code, struct km_str name,
                     struct km_str provider)
{
    return first(
        b, km_arena_printf(b->arena, "%s %.*s %.*s", code, KM_STR_ARG(name), KM_STR_ARG(provider)));
}

/* --- what is said of an entry --- */

/* false, nothing and empty switch nothing and restrict nothing. */
static bool inert(const struct km_node *v)
{
    switch (v->type) {
    case KM_NODE_NULL:
        return true;
    case KM_NODE_BOOL:
        return !v->b;
    case KM_NODE_STR:
        return v->text.n == 0;
    case KM_NODE_SEQ:
    case KM_NODE_MAP:
        return v->n == 0;
    default:
        return false;
    }
}

/* Could it be a credential?  Numbers and switches are none. */
static bool is_text(const struct km_node *v)
{
    return v->type == KM_NODE_STR || v->type == KM_NODE_MAP || v->type == KM_NODE_SEQ ||
           v->from_env;
}

static void say_own(const struct km_model_build *b, const struct km_node *key,
                    enum km_param_kind kind)
{
    if (!first_of(b, "W0103", key->text, KM_STR_NONE))
        return;
    km_diag_add(
        b->diags, KM_DIAG_WARNING, "W0103", key,
        kind == KM_PARAM_PRICE
            ? km_arena_cstr(b->arena,
                            km_arena_printf(b->arena,
                                            "no call is priced by it: %s. It is never sent to "
                                            "the provider",
                                            km_price_no_effect(key->text)))
        : km_model_info_known(key->text)
            ? "LiteLLM's own parameter, never sent to the provider. It is read in model_info."
            : "LiteLLM's own parameter: it is never sent to the provider.",
        WHERE " has no effect here", KM_STR_ARG(key->text));
}

static void say_limit(const struct km_model_build *b, const struct km_node *key)
{
    struct km_str path = km_arena_printf(b->arena, "model_list.litellm_params.%.*s",
                                         KM_STR_ARG(key->text)),
                  help;

    if (!first_of(b, "E0108", key->text, KM_STR_NONE))
        return;
    if (km_config_accepts(b->args->config, b->arena, path)) {
        km_diag_add(b->diags, KM_DIAG_WARNING, "W0105", key, NULL,
                    WHERE " restricts something that is not enforced here, as accepted",
                    KM_STR_ARG(key->text));
        return;
    }
    help = km_arena_printf(b->arena,
                           "to start without it, list '%.*s' in "
                           "kanmon_settings.accept_unsupported",
                           KM_STR_ARG(path));
    km_diag_add(b->diags, KM_DIAG_ERROR, "E0108", key, help.p,
                WHERE " would restrict something, and kanmon does not do that yet",
                KM_STR_ARG(key->text));
}

static struct km_str place(const struct km_model_build *b, const struct km_node *key)
{
    return km_arena_printf(b->arena, "%.*s:%u:%u", KM_STR_ARG(key->file), key->line, key->column);
}

/* It would be sent to the provider in the body of every call, and what was meant is not set. */
static void say_misspelt(const struct km_model_build *b, const struct km_node *key,
                         const struct km_node *value, struct km_str meant)
{
    struct km_str help;

    if (!first(b, place(b, key))) /* an entry of credential_list has many users */
        return;
    km_diags_hide(b->diags, value);
    help = meant.n ? km_arena_printf(b->arena,
                                     "did you mean '%.*s'? Correct it; if the provider takes "
                                     "'%.*s', put it below extra_body, which is sent as it is",
                                     KM_STR_ARG(meant), KM_STR_ARG(key->text))
                   : km_arena_printf(b->arena,
                                     "correct it, or take it out; if the provider takes '%.*s', "
                                     "put it below extra_body, which is sent as it is",
                                     KM_STR_ARG(key->text));
    if (meant.n)
        km_diag_add(b->diags, KM_DIAG_ERROR, "E0304", key, help.p,
                    WHERE " is unknown, and nearly '%.*s'", KM_STR_ARG(key->text),
                    KM_STR_ARG(meant));
    else
        km_diag_add(b->diags, KM_DIAG_ERROR, "E0305", key, help.p,
                    WHERE " is unknown, and sounds like a credential: it would be sent to the "
                          "provider in every request",
                    KM_STR_ARG(key->text));
}

static void say_call(const struct km_model_build *b, const struct km_node *key)
{
    if (first_of(b, "W0305", key->text, KM_STR_NONE))
        km_diag_add(b->diags, KM_DIAG_WARNING, "W0305", key, "take it out",
                    WHERE " is left out: each request says that itself", KM_STR_ARG(key->text));
}

/* A default that its variable was to say, or a part of one, is missing in every call. */
static void say_unset(const struct km_model_build *b, const struct km_node *key,
                      const struct km_node *value)
{
    struct km_str name = km_str_skip(value->text, sizeof "os.environ/" - 1);

    if (value->type == KM_NODE_NULL && value->from_env && first(b, place(b, value)))
        km_diag_add_each(
            b->diags, KM_DIAG_WARNING, "W0104", value, NULL,
            km_arena_printf(b->arena, WHERE, KM_STR_ARG(key->text)),
            km_arena_printf(b->arena, ": variable %.*s is not set, so this key has no value",
                            KM_STR_ARG(name)),
            km_arena_printf(b->arena, "keys have no value, for variable %.*s is not set",
                            KM_STR_ARG(name)));
    for (size_t i = 0; i < value->n; i++)
        say_unset(b, key, value->v[i]);
}

/* .inf and .nan: in a body they would be null. */
static void check_numbers(const struct km_model_build *b, const struct km_node *key,
                          const struct km_node *value)
{
    if (value->type == KM_NODE_FLOAT && !isfinite(value->f) && first(b, place(b, value)))
        km_diag_add(b->diags, KM_DIAG_ERROR, "E0102", value, NULL,
                    WHERE ": JSON has no such number", KM_STR_ARG(key->text));
    for (size_t i = 0; i < value->n; i++)
        check_numbers(b, key, value->v[i]);
}

/* Those that no row has checked: with a tier or a service in their name, and mappings. */
static void check_price(const struct km_model_build *b, const struct km_node *key,
                        const struct km_node *value)
{
    struct km_err why;

    if (!km_price_counts(key->text) || km_price_is_plain(key->text))
        return;
    say_unset(b, key, value);
    if (!km_deployment_price_member(b, key, value, &why) && first(b, place(b, value)))
        km_diag_add(b->diags, KM_DIAG_ERROR, "E0102", value, NULL, "%s", why.text);
}

static void check_one(const struct km_model_build *b, const struct km_node *key,
                      const struct km_node *value)
{
    struct km_param p;

    if (value->type == KM_NODE_NULL && !value->from_env)
        return;
    km_param_judge(key->text, is_text(value), &p);
    switch (p.kind) {
    case KM_PARAM_CALL:
        if (!inert(value))
            say_call(b, key);
        break;
    case KM_PARAM_OWN:
    case KM_PARAM_PRICE:
        if (!inert(value))
            say_own(b, key, p.kind);
        break;
    case KM_PARAM_LIMIT:
        if (!inert(value) || value->from_env)
            say_limit(b, key);
        break;
    case KM_PARAM_MISSPELT:
    case KM_PARAM_SECRET:
        say_misspelt(b, key, value, p.meant);
        break;
    case KM_PARAM_REQUEST:
    case KM_PARAM_OTHER:
        say_unset(b, key, value);
        check_numbers(b, key, value);
        break;
    case KM_PARAM_ROW: /* its table's filling has said it */
        check_price(b, key, value);
        break;
    }
}

/* Whatever else stands in model_info is data for /model/info. */
static void check_info(const struct km_model_build *b, const struct km_node *key,
                       const struct km_node *value)
{
    const char *why = km_price_no_effect(key->text);
    struct km_param p;
    struct km_str meant = KM_STR_NONE;

    km_param_judge(key->text, false, &p);
    if (p.kind == KM_PARAM_ROW)
        check_price(b, key, value);
    else if (!km_model_info_known(key->text) && p.kind != KM_PARAM_PRICE)
        meant = km_model_info_price(key->text);
    if (p.kind == KM_PARAM_PRICE && why && first_of(b, "W0103", key->text, KM_STR_NONE))
        km_diag_add(
            b->diags, KM_DIAG_WARNING, "W0103", key,
            km_arena_cstr(b->arena, km_arena_printf(b->arena, "no call is priced by it: %s", why)),
            "model_info.%.*s has no effect here", KM_STR_ARG(key->text));
    if (meant.n && first_of(b, "W0308", key->text, KM_STR_NONE))
        km_diag_add(b->diags, KM_DIAG_WARNING, "W0308", key,
                    km_arena_cstr(b->arena, km_arena_printf(b->arena, "did you mean '%.*s'?",
                                                            KM_STR_ARG(meant))),
                    "model_info.%.*s is unknown, and no call is priced by it",
                    KM_STR_ARG(key->text));
}

void km_deployment_params_check(const struct km_model_build *b, const struct km_model_entry *entry)
{
    const struct km_node *info = entry->info.all;
    const struct km_node *all = entry->params.all, *extra = entry->params.extra_body;

    for (size_t i = 0; all && all->type == KM_NODE_MAP && i < all->n; i++)
        check_one(b, all->k[i], all->v[i]);
    for (size_t i = 0; info && info->type == KM_NODE_MAP && i < info->n; i++)
        if (!inert(info->v[i]))
            check_info(b, info->k[i], info->v[i]);
    for (size_t i = 0; extra && extra->type == KM_NODE_MAP && i < extra->n; i++)
        check_numbers(b, extra->k[i], extra->v[i]);
    if (extra && extra->type != KM_NODE_MAP)
        km_diag_add(b->diags, KM_DIAG_ERROR, "E0102", extra, NULL,
                    "litellm_params.extra_body: expected a mapping of members of a request's body");
}

/* --- the defaults of a deployment --- */

bool km_deployment_compatible(const struct km_deployment *d)
{
    return d->codec && (d->codec->native & KM_WIRE_CHAT);
}

struct collecting {
    struct km_deployment *d;
    const struct km_model_build *b;
    struct km_default_param *out;
};

static bool plain_name(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e || s.p[i] == '"' ||
            s.p[i] == '\\')
            return false;
    return s.n > 0;
}

/* Where the one of that name stands, or behind the last: extra_body wins. */
static size_t place_of(const struct collecting *c, struct km_str name)
{
    size_t i = 0;

    while (i < c->d->ndefaults && !km_str_eq(c->out[i].name, name))
        i++;
    return i;
}

static void put(struct collecting *c, const struct km_node *key, struct km_str json, unsigned apis,
                enum km_default_use use)
{
    struct km_deployment *d = c->d;
    size_t at = place_of(c, key->text);

    if (at == KM_DEFAULTS_MOST || !plain_name(key->text)) {
        if (first_of(c->b, "E0306", d->id, KM_STR_NONE))
            km_diag_add(c->b->diags, KM_DIAG_ERROR, "E0306", key,
                        "names are printable ASCII without quotes",
                        WHERE " cannot be sent: a model has at most %d default parameters, with "
                              "plain names",
                        KM_STR_ARG(key->text), KM_DEFAULTS_MOST);
        return;
    }
    c->out[at] = (struct km_default_param){ .name = km_arena_str(c->b->arena, key->text),
                                            .json = json,
                                            .use = use,
                                            .not_messages = !(apis & KM_API_ANTHROPIC) };
    d->ndefaults += at == d->ndefaults;
}

/* Does the codec take it in a chat? */
static bool fits_chat(const struct collecting *c, struct km_str name, struct km_str json,
                      struct km_err *why)
{
    struct km_arena arena;
    const struct km_json *value;
    struct km_chat probe;
    bool fits = false;
    int r;

    km_arena_init(&arena, 16 * DEFAULT_BYTES, NULL);
    km_chat_init(&probe);
    r = km_json_parse(&arena, json, &value, why);
    if (r == 0)
        r = km_openai_param(&probe, &arena, name, value, why);
    /* What the codec writes itself is no member beside it. */
    if (r == KM_E_NOT_FOUND && !km_codec_own_member(c->d->codec, name).n &&
        km_chat_extra(&probe, &arena, name, json))
        r = 0;
    if (r == 0)
        fits = km_chat_carried(&probe, c->d->codec, c->d);
    km_arena_done(&arena);
    return fits;
}

static bool has_vectors(const struct km_codec *codec)
{
    return codec->embed_encode || codec->rank_encode;
}

static void say_left_out(const struct collecting *c, const struct km_node *key,
                         const struct km_err *why)
{
    struct km_str provider = c->d->provider_name;
    struct km_str help =
        KM_STR("take it out; to send it as it is all the same, put it below extra_body");

    if (!first_of(c->b, "W0306", key->text, provider))
        return;
    if (why->code)
        km_diag_add(c->b->diags, KM_DIAG_WARNING, "W0306", key, help.p,
                    WHERE " is left out for %.*s: %s", KM_STR_ARG(key->text), KM_STR_ARG(provider),
                    why->text);
    else
        km_diag_add(c->b->diags, KM_DIAG_WARNING, "W0306", key, help.p,
                    WHERE " is not known to %.*s (%s), and is left out", KM_STR_ARG(key->text),
                    KM_STR_ARG(provider), c->d->codec->name);
}

static struct km_str other_help(const struct collecting *c, const struct km_node *key,
                                struct km_str meant)
{
    struct km_str name = key->text;

    if (meant.n)
        return km_arena_printf(
            c->b->arena, "did you mean '%.*s'? To send it on purpose, put it below extra_body",
            KM_STR_ARG(meant));
    if (km_str_starts(name, KM_STR("supports_")) || km_model_info_known(name))
        return km_arena_printf(c->b->arena,
                               "'%.*s' belongs in model_info; to send it on purpose, put it below "
                               "extra_body",
                               KM_STR_ARG(name));
    return KM_STR("take it out; to send it on purpose, put it below extra_body");
}

/* Nobody's parameter that is known here. */
static void say_other(const struct collecting *c, const struct km_node *key, struct km_str meant)
{
    struct km_str provider = c->d->provider_name, help;

    if (!first_of(c->b, "W0304", key->text, provider))
        return;
    help = other_help(c, key, meant);
    km_diag_add(c->b->diags, KM_DIAG_WARNING, "W0304", key, km_arena_cstr(c->b->arena, help),
                km_deployment_compatible(c->d)
                    ? WHERE " is unknown, and is sent to %.*s in every request"
                    : WHERE " is unknown, and is left out for %.*s: requests are written anew "
                            "for it",
                KM_STR_ARG(key->text), KM_STR_ARG(provider));
}

/* Without what additional_drop_params takes out of it; empty: all of it. */
static struct km_str dropped(const struct collecting *c, struct km_str name, struct km_str json)
{
    struct km_arena *arena = c->b->arena;
    struct km_str body =
                      km_arena_printf(arena, "{\"%.*s\":%.*s}", KM_STR_ARG(name), KM_STR_ARG(json)),
                  less;
    struct km_json_span span;
    struct km_err ignored;

    if (!c->d->nalso_drop ||
        km_json_drop(arena, body, c->d->also_drop, c->d->nalso_drop, &less, &ignored) < 0)
        return json;
    return km_json_spans(less, &name, 1, &span, NULL, &ignored) == 0 ? km_json_value(less, &span)
                                                                     : json;
}

/* Listed in allowed_openai_params: its owner knows it. */
static bool is_allowed(const struct km_deployment *d, struct km_str name)
{
    for (size_t i = 0; i < d->nallowed; i++)
        if (km_str_eq(d->allowed[i], name))
            return true;
    return false;
}

static void add_default(struct collecting *c, const struct km_node *key,
                        const struct km_node *value)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(DEFAULT_BYTES);
    unsigned apis = km_param_apis(key->text);
    struct km_err why = { 0 };
    struct km_param p;
    struct km_str json;

    km_param_judge(key->text, is_text(value), &p);
    if ((p.kind != KM_PARAM_REQUEST && p.kind != KM_PARAM_OTHER) || !c->d->codec)
        return;
    km_node_json(value, &text);
    json = dropped(c, key->text, km_arena_str(c->b->arena, km_buf_view(&text)));
    if (!json.n)
        return;
    if (p.kind == KM_PARAM_OTHER && is_allowed(c->d, key->text))
        p.kind = KM_PARAM_REQUEST;
    if (p.kind == KM_PARAM_OTHER)
        say_other(c, key, p.meant);
    if (km_deployment_compatible(c->d))
        put(c, key, json, apis, KM_DEFAULT_SENT);
    else if (p.kind == KM_PARAM_OTHER)
        return;
    else if (fits_chat(c, key->text, json, &why))
        put(c, key, json, apis, KM_DEFAULT_SENT);
    else if ((apis & KM_API_VECTORS) && has_vectors(c->d->codec))
        put(c, key, json, apis, KM_DEFAULT_VECTORS);
    else if (km_codec_own_member(c->d->codec, key->text).n && !why.code)
        put(c, key, json, apis, KM_DEFAULT_AS_IS);
    else
        say_left_out(c, key, &why);
}

/* A member of extra_body: no questions asked. */
static void add_extra(struct collecting *c, const struct km_node *key, const struct km_node *value)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(DEFAULT_BYTES);
    struct km_err ignored = { 0 };
    struct km_param p;
    struct km_str json;

    km_param_judge(key->text, false, &p);
    if (p.kind == KM_PARAM_CALL || km_str_eq(key->text, KM_STR("model"))) {
        say_call(c->b, key);
        return;
    }
    km_node_json(value, &text);
    json = km_arena_str(c->b->arena, km_buf_view(&text));
    put(c, key, json, KM_API_ANY,
        !c->d->codec || km_deployment_compatible(c->d) || fits_chat(c, key->text, json, &ignored)
            ? KM_DEFAULT_SENT
            : KM_DEFAULT_AS_IS);
}

void km_deployment_defaults(struct km_deployment *d, const struct km_model_build *b,
                            const struct km_model_entry *entry)
{
    const struct km_node *all = entry->params.all;
    const struct km_node *extra = entry->params.extra_body;
    struct collecting c = { d, b, km_arena_zalloc(b->arena, KM_DEFAULTS_MOST * sizeof *c.out) };

    if (!c.out)
        return;
    d->defaults = c.out;
    for (size_t i = 0; all && all->type == KM_NODE_MAP && i < all->n; i++)
        if (all->v[i]->type != KM_NODE_NULL)
            add_default(&c, all->k[i], all->v[i]);
    for (size_t i = 0; extra && extra->type == KM_NODE_MAP && i < extra->n; i++)
        if (extra->v[i]->type != KM_NODE_NULL)
            add_extra(&c, extra->k[i], extra->v[i]);
}
