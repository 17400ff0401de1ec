/* SPDX-License-Identifier: Apache-2.0 */
/* codec.c - what all codecs share: which parameters may pass, and the common shape of errors.
 *
 * A parameter meets three judges: the codec (does its protocol have it?), the model (does it
 * take it?), the configuration (may it be dropped?).  Here is the first and the third; encoders
 * ask the model's capabilities themselves, for what replaces a parameter is theirs to know.
 */
#include "llm/codec.h"

#include <stddef.h>

#include "base/time.h"

#include "llm/api.h"
#include "llm/dropped.h"
#include "llm/param.h"

static bool listed(const struct km_str *v, size_t n, struct km_str name)
{
    for (size_t i = 0; i < n; i++)
        if (km_str_eq(v[i], name))
            return true;
    return false;
}

int km_tool_refuse(const struct km_deployment *d, const struct km_tool *tool, struct km_err *err)
{
    if (d->drop_params)
        return 0;
    return km_fail_param(
        err, KM_E_UNSUPPORTED, "tools",
        "'tools' hold one of type '%.*s', which %.*s does not offer. Leave it out, "
        "or set litellm_settings.drop_params: true to have it dropped.",
        KM_STR_ARG(km_str_sub(tool->hosted_type, 0, 64)), KM_STR_ARG(d->provider_name));
}

static int unsupported(const struct km_codec *codec, const struct km_deployment *d,
                       const char *param, struct km_err *err)
{
    return km_fail_param(err, KM_E_UNSUPPORTED, param,
                         "'%s' is not known to %.*s (%s). Leave it out, or set litellm_settings."
                         "drop_params: true or litellm_params.additional_drop_params: [%s] to have "
                         "it dropped.",
                         param, KM_STR_ARG(d->provider_name), codec->name, param);
}

/* Encoders write what has a value: a text that is dropped has none. */
static const size_t texts[KM_P_COUNT] = {
#define TEXT(p, field) [KM_P_##p] = offsetof(struct km_chat, field)
    TEXT(TEMPERATURE, temperature),
    TEXT(TOP_P, top_p),
    TEXT(TOP_K, top_k),
    TEXT(SEED, seed),
    TEXT(FREQUENCY_PENALTY, frequency_penalty),
    TEXT(PRESENCE_PENALTY, presence_penalty),
    TEXT(LOGIT_BIAS, logit_bias_json),
    TEXT(TOP_LOGPROBS, top_logprobs),
    TEXT(VERBOSITY, verbosity),
    TEXT(USER, user),
    TEXT(METADATA, metadata_json),
    TEXT(SERVICE_TIER, service_tier),
    TEXT(PREDICTION, prediction_json),
    TEXT(MODALITIES, modalities_json),
    TEXT(AUDIO, audio_json),
    TEXT(WEB_SEARCH, web_search_json),
    TEXT(CACHE_KEY, cache_key),
#undef TEXT
};

static void drop(struct km_chat *chat, enum km_chat_param p)
{
    chat->set &= ~KM_P_BIT(p);
    if (texts[p]) /* the first member of a chat is none of them */
        *(struct km_str *)(void *)((char *)chat + texts[p]) = KM_STR_NONE;
    if (p == KM_P_MAX_TOKENS)
        chat->max_tokens = -1;
    else if (p == KM_P_N)
        chat->n = 1;
    else if (p == KM_P_TOOLS)
        chat->tools = NULL;
    else if (p == KM_P_TOOL_CHOICE)
        chat->tool_choice = KM_CHOICE_AUTO;
    else if (p == KM_P_PARALLEL_TOOLS)
        chat->parallel_tools = true;
    else if (p == KM_P_FORMAT)
        chat->format = KM_FORMAT_TEXT;
    else if (p == KM_P_STOP)
        chat->nstop = 0;
    else if (p == KM_P_LOGPROBS)
        chat->logprobs = false;
    else if (p == KM_P_STORE)
        chat->store = false;
}

/* What everybody does unasked: one answer, no log-probabilities, one tool at a time where there
 * is but one, the usual speed. */
static bool says_nothing(const struct km_chat *chat, enum km_chat_param p)
{
    switch (p) {
    case KM_P_N:
        return chat->n == 1;
    case KM_P_LOGPROBS:
        return !chat->logprobs;
    case KM_P_TOP_LOGPROBS:
        return km_str_eq(chat->top_logprobs, KM_STR("0"));
    case KM_P_FORMAT:
        return chat->format == KM_FORMAT_TEXT;
    case KM_P_STOP:
        return !chat->nstop;
    case KM_P_PARALLEL_TOOLS:
        return !chat->tools || !chat->tools->next;
    case KM_P_SERVICE_TIER:
        return km_str_eq(chat->service_tier, KM_STR("auto")) ||
               km_str_eq(chat->service_tier, KM_STR("default"));
    default:
        return false;
    }
}

struct km_str km_codec_own_member(const struct km_codec *codec, struct km_str name)
{
    for (size_t i = 0; codec && codec->own && codec->own[i][0]; i++)
        if (km_str_eq(name, km_str_c(codec->own[i][0])) ||
            km_str_eq(name, km_str_c(codec->own[i][1])))
            return km_str_c(codec->own[i][0]);
    return KM_STR_NONE;
}

bool km_deployment_has_default(const struct km_deployment *d, struct km_str name)
{
    for (size_t i = 0; i < d->ndefaults; i++)
        if (km_str_eq(d->defaults[i].name, name))
            return true;
    return false;
}

/* Of several with one protocol not everybody takes every member. */
static bool carries(const struct km_codec *codec, const struct km_deployment *d,
                    enum km_chat_param p)
{
    if (p == KM_P_TOP_K && codec->top_k_by_row && !d->provider->top_k)
        return km_deployment_has_default(d, KM_STR("top_k")) && (codec->maps & KM_P_BIT(p));
    return (codec->maps & KM_P_BIT(p)) != 0;
}

static bool known_extra(const struct km_codec *codec, const struct km_deployment *d,
                        const struct km_chat_extra *extra)
{
    if (extra->kind == KM_EXTRA_FOREIGN)
        return false;
    if (extra->kind == KM_EXTRA_AS_IS)
        return true;
    if (listed(d->allowed, d->nallowed, extra->name))
        return true;
    if (!codec->extras) /* anything goes, but for another protocol's advice */
        return extra->kind == KM_EXTRA_PLAIN;
    for (size_t i = 0; codec->extras[i]; i++)
        if (km_str_eq(extra->name, km_str_c(codec->extras[i])))
            return true;
    return (km_param_apis(extra->name) & codec->apis) != 0;
}

bool km_chat_carried(const struct km_chat *chat, const struct km_codec *codec,
                     const struct km_deployment *d)
{
    for (unsigned i = 0; i < KM_P_COUNT; i++)
        if (km_chat_has(chat, (enum km_chat_param)i) && !carries(codec, d, (enum km_chat_param)i) &&
            !says_nothing(chat, (enum km_chat_param)i))
            return false;
    for (const struct km_chat_extra *x = chat->extras; x; x = x->next)
        if (!known_extra(codec, d, x))
            return false;
    return true;
}

static int check_extras(struct km_chat *chat, const struct km_codec *codec,
                        const struct km_deployment *d, struct km_arena *arena, struct km_err *err)
{
    struct km_chat_extra **at = &chat->extras;

    while (*at) {
        struct km_str name = (*at)->name;
        bool drops = d->drop_params || listed(d->also_drop, d->nalso_drop, name);

        if (known_extra(codec, d, *at) &&
            ((*at)->kind == KM_EXTRA_AS_IS || !listed(d->also_drop, d->nalso_drop, name))) {
            at = &(*at)->next;
            continue;
        }
        if (!drops && (*at)->kind != KM_EXTRA_ADVICE)
            return unsupported(codec, d, km_arena_cstr(arena, name), err);
        km_dropped_note(chat->dropped, name);
        *at = (*at)->next;
    }
    return 0;
}

int km_chat_check(struct km_chat *chat, const struct km_codec *codec, const struct km_deployment *d,
                  km_param_name_fn *name_of, struct km_arena *arena, struct km_err *err)
{
    for (unsigned i = 0; i < KM_P_COUNT; i++) {
        enum km_chat_param p = (enum km_chat_param)i;
        const char *name, *said;
        bool also;

        if (!km_chat_has(chat, p))
            continue;
        name = km_chat_param_name(p);
        said = name_of ? name_of(p) : NULL;
        also = listed(d->also_drop, d->nalso_drop, km_str_c(name)) ||
               (said && listed(d->also_drop, d->nalso_drop, km_str_c(said)));
        if (carries(codec, d, p) && !also)
            continue;
        if (!also && !d->drop_params && !((codec->drops | chat->hints) & KM_P_BIT(p)) &&
            !says_nothing(chat, p))
            return unsupported(codec, d, said ? said : name, err);
        if (!says_nothing(chat, p))
            km_dropped_note(chat->dropped, km_str_c(said ? said : name));
        drop(chat, p);
    }
    return check_extras(chat, codec, d, arena, err);
}

int km_decode_json(struct km_decode *d, struct km_arena *arena, struct km_str text,
                   const struct km_json **ret_root, struct km_err *err)
{
    int r = km_answer_json(arena, text, ret_root, err);

    d->read = r == 0 ? *ret_root : NULL;
    return r;
}

/* --- refusals --- */

#define WAIT_MOST_MS 3600000

/* More digits than a number here can have: it is long all the same. */
static bool is_huge(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 15;
}

int km_retry_after_ms(const struct km_headers *headers, int64_t now_us)
{
    struct km_str in_ms = km_header_get(headers, KM_STR("retry-after-ms"));
    struct km_str said = km_header_get(headers, KM_STR("retry-after"));
    int64_t ms = 0, at_us;

    if (is_huge(in_ms) || is_huge(said))
        return WAIT_MOST_MS;
    if (km_str_decimal(in_ms, 0, &ms) < 0 || ms <= 0) {
        if (km_time_parse_http(said, &at_us) == 0)
            ms = (at_us - now_us + 999) / 1000;
        else if (km_str_chr(said, 'e') < said.n || km_str_chr(said, 'E') < said.n ||
                 km_str_decimal(said, 3, &ms) < 0) /* "1e3" is a number for prices only */
            ms = 0;
    }
    return (int)(ms < 0 ? 0 : ms > WAIT_MOST_MS ? WAIT_MOST_MS : ms);
}

void km_refusal_auth(struct km_refusal *ret)
{
    ret->status = 502;
    ret->type = "api_error";
    ret->kind = KM_REFUSED_CREDENTIALS;
    ret->again = KM_AGAIN_OTHER;
}

enum km_again km_again_of(int status)
{
    if (status == 408 || status == 409 || status == 429 || status >= 500)
        return KM_AGAIN_SAME;
    return status == 401 || status == 403 || status == 404 ? KM_AGAIN_OTHER : KM_AGAIN_NO;
}

/* llama.cpp says it by its type, with the numbers beside. */
static void read_context(const struct km_json *error, struct km_refusal *ret)
{
    struct km_str type = KM_STR_NONE;
    int64_t input, most;

    if (!km_json_string(km_json_get(error, "type"), &type) ||
        !km_str_eq(type, KM_STR("exceed_context_size_error")))
        return;
    ret->kind = KM_REFUSED_CONTEXT;
    if (km_json_i64(km_json_get(error, "n_prompt_tokens"), &input) &&
        km_json_i64(km_json_get(error, "n_ctx"), &most) && input > 0 && most > 0)
        ret->tokens = (struct km_err_tokens){ .input = input, .most = most };
}

void km_refusal_openai(struct km_arena *arena, int status, const struct km_headers *headers,
                       struct km_str body, struct km_refusal *ret)
{
    const struct km_json *root, *error;
    struct km_str code = KM_STR_NONE;

    *ret = (struct km_refusal){ .status = status,
                                .text = km_llm_error_text(arena, body),
                                .retry_after_ms = km_retry_after_ms(headers, km_wall_us()),
                                .kind = status == 429 ? KM_REFUSED_RATE : KM_REFUSED_PLAIN,
                                .again = km_again_of(status) };
    if (status == 401 || status == 403) {
        km_refusal_auth(ret);
        return;
    }
    if (km_refusal_may_be_context(status) && km_refusal_is_context(ret->text, &ret->tokens))
        ret->kind = KM_REFUSED_CONTEXT;
    if (km_json_parse_answer(arena, body, &root, NULL) < 0)
        return;
    error = km_json_get(root, "error");
    (void)km_json_string(km_json_get(error, "code"), &code);
    if (km_refusal_may_be_context(status))
        read_context(error, ret);
    if (km_str_eq(code, KM_STR("context_length_exceeded"))) {
        ret->kind = KM_REFUSED_CONTEXT;
    } else if (km_str_eq(code, KM_STR("content_filter")) ||
               km_str_eq(code, KM_STR("content_policy_violation"))) {
        ret->kind = KM_REFUSED_FILTER;
    } else if (km_str_eq(code, KM_STR("insufficient_quota"))) {
        ret->kind = KM_REFUSED_QUOTA;
        ret->again = KM_AGAIN_OTHER; /* not soon */
    }
    if (ret->kind == KM_REFUSED_CONTEXT && status == 500)
        ret->again = KM_AGAIN_NO; /* Ollama's */
}
