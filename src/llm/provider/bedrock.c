/* SPDX-License-Identifier: Apache-2.0 */
/* bedrock.c - Amazon Bedrock: its rows, its addresses and credentials, its refusals.
 *
 * A deployment needs a region (of its name, of litellm_params, of the environment, of the
 * profile) and somebody to be: a Bedrock key, which is an ordinary bearer token, or AWS
 * credentials, with which every request is signed (aws/auth.h).  What the deployment itself names
 * wins over the environment.
 *
 * bedrock_mantle is another door to the same models: OpenAI's protocol, and Anthropic's for
 * Claude, signed for a service of its own name.
 */
#include "llm/provider/bedrock.h"

#include "base/time.h"

#include "llm/api.h"
#include "llm/aws/auth.h"
#include "llm/model_build.h"
#include "llm/provider/codecs.h"
#include "llm/provider/converse.h"
#include "llm/provider/rows.h"

/* --- names --- */

static bool all_of(struct km_str s, char low, char high)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < low || s.p[i] > high)
            return false;
    return s.n > 0;
}

/* "ap-northeast-1", "us-gov-west-1": words of letters, then a number. */
static bool is_region(struct km_str s)
{
    struct km_str rest = s, word = KM_STR_NONE;
    size_t words = 0;

    while (km_str_split(&rest, '-', &word)) {
        words++;
        if (rest.p && !all_of(word, 'a', 'z'))
            return false;
    }
    return words >= 3 && all_of(word, '0', '9');
}

/* "arn:aws:bedrock:REGION:ACCOUNT:..." */
static struct km_str region_of_arn(struct km_str id)
{
    struct km_str rest = id, word = KM_STR_NONE;

    if (!km_str_starts(id, KM_STR("arn:")))
        return KM_STR_NONE;
    for (unsigned i = 0; i < 4; i++)
        if (!km_str_split(&rest, ':', &word))
            return KM_STR_NONE;
    return is_region(word) ? word : KM_STR_NONE;
}

struct km_bedrock_name km_bedrock_name(struct km_str model)
{
    struct km_bedrock_name name = { .id = model };
    size_t slash;

    while ((slash = km_str_chr(name.id, '/')) < name.id.n) {
        struct km_str word = km_str_sub(name.id, 0, slash);

        if (km_str_eq(word, KM_STR("invoke")))
            name.invoke = true;
        else if (is_region(word))
            name.region = word;
        else if (!km_str_eq(word, KM_STR("converse")) && !km_str_eq(word, KM_STR("bedrock")))
            break;
        name.id = km_str_skip(name.id, slash + 1);
    }
    if (!name.region.n)
        name.region = region_of_arn(name.id);
    return name;
}

struct km_str km_bedrock_path(struct km_str model, const char *action, struct km_arena *arena)
{
    struct km_buf id KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);

    km_url_encode(&id, km_bedrock_name(model).id);
    return km_arena_printf(arena, "/model/%.*s/%s", KM_STR_ARG(km_buf_view(&id)), action);
}

static struct km_str target(const struct km_target_args *args, struct km_arena *arena)
{
    if (args->wire == KM_WIRE_EMBEDDING)
        return km_bedrock_path(args->model, "invoke", arena);
    return km_bedrock_path(args->model, args->stream ? "converse-stream" : "converse", arena);
}

/* --- refusals --- */

/* "ThrottlingException:http://..." and "com.amazon#ThrottlingException" are one. */
static struct km_str exception_of(const struct km_headers *headers, const struct km_json *root)
{
    struct km_str name = km_header_get(headers, KM_STR("x-amzn-errortype"));
    size_t hash;

    if (!name.n && !km_json_string(km_json_get(root, "__type"), &name))
        (void)km_json_string(km_json_get(root, "code"), &name);
    name = km_str_sub(name, 0, km_str_chr(name, ':'));
    hash = km_str_chr(name, '#');
    return hash < name.n ? km_str_skip(name, hash + 1) : name;
}

/* XX by exception: what the client gets, and whether another attempt makes sense. */
static const struct meaning {
    const char *name; /* without "Exception"; the case of its first letter does not count */
    const char *type;
    enum km_refusal_kind kind;
    int status;
    enum km_again again;
} meanings[] = {
    { "Throttling", NULL, KM_REFUSED_RATE, 429, KM_AGAIN_SAME },
    { "TooManyRequests", NULL, KM_REFUSED_RATE, 429, KM_AGAIN_SAME },
    { "ServiceQuotaExceeded", NULL, KM_REFUSED_QUOTA, 429, KM_AGAIN_OTHER },
    { "ModelNotReady", NULL, KM_REFUSED_OVERLOADED, 503, KM_AGAIN_SAME },
    { "ServiceUnavailable", NULL, KM_REFUSED_OVERLOADED, 503, KM_AGAIN_SAME },
    { "InternalServer", NULL, KM_REFUSED_PLAIN, 500, KM_AGAIN_SAME },
    { "InternalFailure", NULL, KM_REFUSED_PLAIN, 500, KM_AGAIN_SAME },
    { "ModelTimeout", "timeout_error", KM_REFUSED_PLAIN, 504, KM_AGAIN_SAME },
    { "ModelError", "api_error", KM_REFUSED_PLAIN, 502, KM_AGAIN_SAME },
    { "ModelStreamError", "api_error", KM_REFUSED_PLAIN, 502, KM_AGAIN_SAME },
    { "AccessDenied", "api_error", KM_REFUSED_CREDENTIALS, 502, KM_AGAIN_OTHER },
    { "UnrecognizedClient", "api_error", KM_REFUSED_CREDENTIALS, 502, KM_AGAIN_OTHER },
    { "ExpiredToken", "api_error", KM_REFUSED_CREDENTIALS, 502, KM_AGAIN_OTHER },
    { "InvalidSignature", "api_error", KM_REFUSED_CREDENTIALS, 502, KM_AGAIN_OTHER },
    { "IncompleteSignature", "api_error", KM_REFUSED_CREDENTIALS, 502, KM_AGAIN_OTHER },
    { "MissingAuthenticationToken", "api_error", KM_REFUSED_CREDENTIALS, 502, KM_AGAIN_OTHER },
    { "ResourceNotFound", "not_found_error", KM_REFUSED_MODEL, 404, KM_AGAIN_OTHER },
    { "Conflict", NULL, KM_REFUSED_PLAIN, 400, KM_AGAIN_NO },
    { "Validation", NULL, KM_REFUSED_PLAIN, 400, KM_AGAIN_NO },
};

static const struct meaning *meaning_of(struct km_str name)
{
    if (km_str_ends(name, KM_STR("Exception")))
        name.n -= strlen("Exception");
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (km_str_ieq(name, km_str_c(meanings[i].name)))
            return &meanings[i];
    return NULL;
}

static bool says(struct km_str text, const char *what)
{
    return km_str_find(text, km_str_c(what)) < text.n;
}

void km_bedrock_refusal(struct km_arena *arena, int status, const struct km_headers *headers,
                        struct km_str body, struct km_refusal *ret)
{
    const struct km_json *root = NULL;
    const struct meaning *m;
    struct km_str text, name;

    if (km_json_parse_answer(arena, body, &root, NULL) < 0)
        root = NULL;
    name = exception_of(headers, root);
    m = meaning_of(name);
    *ret = (struct km_refusal){ .status = status,
                                .again = km_again_of(status),
                                .retry_after_ms = km_retry_after_ms(headers, km_wall_us()) };
    if (!km_json_string(km_json_get(root, "message"), &text) &&
        !km_json_string(km_json_get(root, "Message"), &text))
        text = km_llm_error_text(arena, body);
    ret->text =
        name.n ? km_arena_printf(arena, "%.*s: %.*s", KM_STR_ARG(name), KM_STR_ARG(text)) : text;
    if (m) {
        ret->status = m->status;
        ret->type = m->type;
        ret->kind = m->kind;
        ret->again = m->again;
    } else if (status == 401 || status == 403) {
        km_refusal_auth(ret);
    }
    if (ret->status == 400 && km_refusal_is_context(text, &ret->tokens))
        ret->kind = KM_REFUSED_CONTEXT;
    if (ret->status == 400 && says(text, "on-demand throughput"))
        ret->again = KM_AGAIN_OTHER; /* the deployment names a model where a profile is needed */
}

int km_bedrock_exception(const struct km_frame_event *e, struct km_arena *scratch,
                         struct km_err *err)
{
    const struct meaning *m = meaning_of(e->exception);
    const struct km_json *root = NULL;
    struct km_str text = e->data;

    if (km_json_parse_answer(scratch, e->data, &root, NULL) == 0 &&
        !km_json_string(km_json_get(root, "message"), &text))
        (void)km_json_string(km_json_get(root, "Message"), &text);
    (void)km_fail(err, KM_E_UPSTREAM_STATUS, "The upstream ended its answer with %.*s: %.*s",
                  KM_STR_ARG(km_str_sub(e->exception, 0, 64)),
                  KM_STR_ARG(km_str_sub(text, 0, 400)));
    if (err) {
        err->http = m ? m->status : 502;
        err->type = m ? m->type : "api_error";
        err->kind = m ? (unsigned char)m->kind : KM_REFUSED_PLAIN;
        if (err->http == 400)
            km_refusal_judge(err, text);
    }
    return KM_E_UPSTREAM_STATUS;
}

/* --- header lines --- */

/* Betas that Bedrock takes, as Anthropic's and AWS's pages name them; any other is refused there
 * with the whole request.  The search among tools is InvokeModel's only. */
static const struct {
    const char *name;
    bool invoke_only;
} betas[] = {
    { "compact-2026-01-12", false },
    { "computer-use-2024-10-22", false },
    { "computer-use-2025-01-24", false },
    { "computer-use-2025-11-24", false },
    { "context-1m-2025-08-07", false },
    { "context-management-2025-06-27", false },
    { "dev-full-thinking-2025-05-14", false },
    { "effort-2025-11-24", false },
    { "interleaved-thinking-2025-05-14", false },
    { "output-128k-2025-02-19", false },
    { "token-efficient-tools-2025-02-19", false },
    { "tool-examples-2025-10-29", true },
    { "tool-search-tool-2025-10-19", true },
};

static bool beta_known(struct km_str name, bool invoke)
{
    for (size_t i = 0; i < sizeof betas / sizeof betas[0]; i++)
        if (km_str_eq(name, km_str_c(betas[i].name)))
            return invoke || !betas[i].invoke_only;
    return false;
}

struct km_str km_bedrock_known_betas(struct km_str header, bool invoke, struct km_arena *arena,
                                     bool *ret_all)
{
    struct km_str one, list = KM_STR_NONE;

    *ret_all = true;
    while (km_str_split(&header, ',', &one)) {
        one = km_str_trim(one);
        if (beta_known(one, invoke))
            list = km_arena_printf(arena, "%.*s%s\"%.*s\"", KM_STR_ARG(list), list.n ? "," : "",
                                   KM_STR_ARG(one));
        else if (one.n)
            *ret_all = false;
    }
    return list.n ? km_arena_printf(arena, "[%.*s]", KM_STR_ARG(list)) : KM_STR_NONE;
}

struct km_str km_bedrock_betas(const struct km_encode_args *args, const struct km_chat *chat,
                               bool invoke)
{
    struct km_str header = KM_STR_NONE;
    bool all;

    for (const struct km_chat_extra *x = chat->extras; x; x = x->next)
        if (km_str_eq(x->name, KM_STR("anthropic_beta")))
            return x->json; /* said for this deployment or call: as it is */
    if (args->caller)
        header = km_header_get(args->caller, KM_STR("anthropic-beta"));
    return km_bedrock_known_betas(header, invoke, args->arena, &all);
}

/* --- at load --- */

static struct km_str first_of(const struct km_str *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].n)
            return v[i];
    return KM_STR_NONE;
}

static struct km_str region_of(const struct km_model_build *b, const struct km_litellm_params *p,
                               struct km_str named)
{
    const struct km_str said[] = { p->aws.region,
                                   p->region_name,
                                   named,
                                   km_deployment_env(b, "AWS_REGION_NAME"),
                                   km_deployment_env(b, "AWS_REGION"),
                                   km_deployment_env(b, "AWS_DEFAULT_REGION") };
    struct km_str region = first_of(said, sizeof said / sizeof said[0]);

    return region.n ? km_arena_str(b->arena, region)
                    : km_aws_profile_region(b->arena, b->args->config, p->aws.profile);
}

/* Where a service of that name listens in a region. */
static struct km_str endpoint_of(const struct km_model_build *b, bool mantle, struct km_str region,
                                 struct km_str path)
{
    bool china = km_str_starts(region, KM_STR("cn-"));

    if (mantle)
        return km_arena_printf(b->arena, "https://bedrock-mantle.%.*s.api.aws%.*s",
                               KM_STR_ARG(region), KM_STR_ARG(path));
    return km_arena_printf(b->arena, "https://bedrock-runtime.%.*s.amazonaws.com%s",
                           KM_STR_ARG(region), china ? ".cn" : "");
}

static int build_auth(struct km_deployment *d, const struct km_model_build *b,
                      const struct km_model_entry *entry, struct km_str region, const char *service,
                      struct km_err *err)
{
    const struct km_aws_params *aws = &entry->params.aws;
    bool own = aws->akid.n || aws->profile.n || aws->role.n || aws->web_identity.n;
    struct km_str key = entry->params.api_key;
    struct km_aws_auth_args args = {
        .credentials = { .settings = { .akid = aws->akid,
                                       .secret = aws->secret,
                                       .token = aws->token,
                                       .profile = aws->profile,
                                       .role = aws->role,
                                       .session_name = aws->session_name,
                                       .external_id = aws->external_id,
                                       .web_identity = aws->web_identity,
                                       .sts_endpoint = aws->sts_endpoint,
                                       .region = region },
                         .config = b->args->config,
                         .tls = b->args->tls,
                         .proxies = b->args->proxies },
        .region = region,
        .service = km_str_c(service),
    };

    if (!key.n && !own)
        key = km_deployment_key(d, b, entry);
    km_deployment_head(d, b, entry, NULL, key);
    if (key.n || d->mock_response.n ||
        km_deployment_lends_none(d, b, entry, aws->akid.n && aws->secret.n))
        return 0;
    d->auth = km_aws_auth_new(&args, err);
    return d->auth ? 0 : KM_E_NOMEM;
}

/* An ARN that is called in the model's place: the model still says what it can do. */
static void rename_model(struct km_deployment *d, const struct km_model_build *b,
                         const struct km_model_entry *entry, struct km_str id)
{
    d->upstream_model = km_arena_str(b->arena, id);
    d->price = km_deployment_price(d, b, entry);
    if (!entry->params.aws.model_id.n)
        return;
    if (!d->base_model.n)
        d->base_model = d->upstream_model;
    d->upstream_model = km_arena_str(b->arena, entry->params.aws.model_id);
}

static int build_at(struct km_deployment *d, const struct km_model_build *b,
                    const struct km_model_entry *entry, struct km_str endpoint,
                    struct km_str region, struct km_err *err)
{
    bool mantle = d->provider == &km_provider_bedrock_mantle;
    int r = 0;

    if (region.n && !is_region(region)) { /* it becomes a part of the host's name */
        km_deployment_unavailable(d, b, entry, "regions are called like 'us-east-1'",
                                  KM_STR("its AWS region is no region's name"));
        return 0;
    }
    if (!region.n && !entry->params.api_key.n) {
        km_deployment_unavailable(d, b, entry, "set litellm_params.aws_region_name, or AWS_REGION",
                                  KM_STR("no AWS region is configured"));
        return 0;
    }
    if (endpoint.n)
        r = km_deployment_base(d, b, entry, endpoint, err);
    return r == 0 ? build_auth(d, b, entry, region, mantle ? "bedrock-mantle" : "bedrock", err) : r;
}

static const struct km_codec *codec_of(const struct km_deployment *d, bool invoke)
{
    const struct km_capability *can =
        km_capability_find(d->base_model.n ? d->base_model : d->upstream_model);

    if (can->can & KM_CAN_EMBED)
        return can->family == KM_FAMILY_COHERE ? &km_codec_bedrock_cohere : &km_codec_converse;
    return invoke ? &km_codec_bedrock_invoke : &km_codec_converse;
}

static int build(struct km_deployment *d, const struct km_model_build *b,
                 const struct km_model_entry *entry, struct km_err *err)
{
    const struct km_litellm_params *p = &entry->params;
    struct km_bedrock_name name = km_bedrock_name(d->upstream_model);
    struct km_str arn = region_of_arn(p->aws.model_id);
    struct km_str region = region_of(b, p, name.region.n ? name.region : arn);
    const struct km_str endpoints[] = { p->aws.runtime_endpoint, p->api_base, p->base_url,
                                        km_deployment_env(b, "AWS_BEDROCK_RUNTIME_ENDPOINT"),
                                        km_deployment_env(b, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME") };
    struct km_str endpoint = first_of(endpoints, sizeof endpoints / sizeof endpoints[0]);

    rename_model(d, b, entry, name.id);
    d->codec = codec_of(d, name.invoke);
    if (!endpoint.n && region.n)
        endpoint = endpoint_of(b, false, region, KM_STR_NONE);
    return build_at(d, b, entry, endpoint, region, err);
}

static int build_mantle(struct km_deployment *d, const struct km_model_build *b,
                        const struct km_model_entry *entry, struct km_err *err)
{
    const struct km_litellm_params *p = &entry->params;
    bool claude = km_str_starts(d->upstream_model, KM_STR("anthropic."));
    struct km_str region = region_of(b, p, KM_STR_NONE), endpoint = KM_STR_NONE;

    if (claude)
        d->codec = &km_codec_messages;
    if (!p->api_base.n && !p->base_url.n && region.n)
        endpoint = endpoint_of(b, true, region, claude ? KM_STR("/anthropic/v1") : KM_STR("/v1"));
    return build_at(d, b, entry, endpoint, region, err);
}

/* --- rows --- */

static const char *const converse_own[][2] = {
    { "system", NULL }, { "toolConfig", NULL }, { "inferenceConfig", NULL }, { NULL, NULL },
};

const struct km_codec km_codec_converse = {
    .name = "Bedrock Converse",
    .own = converse_own,
    .framing = KM_FRAMING_AWS,
    .maps = KM_MESSAGES_MAPS,
    .drops = KM_MESSAGES_DROPS | KM_P_BIT(KM_P_USER),
    .state_size = KM_CONVERSE_STATE,
    .target = target,
    .encode = km_converse_encode,
    .idle = km_converse_idle,
    .carries = KM_TRAIT_BIT(RESULT_ERROR) | KM_TRAIT_BIT(CACHE_POINT) | KM_TRAIT_BIT(TOOL_STRICT) |
               KM_TRAIT_BIT(PREFILL) | KM_TRAIT_BIT(CITE) | KM_TRAIT_BIT(CONTEXT) |
               KM_TRAIT_BIT(THOUGHTS) | KM_TRAIT_BIT(CACHE_ALL) | KM_TRAIT_BIT(SPOKEN_IMAGE) |
               KM_TRAIT_BIT(SPOKEN_FILE) | KM_TRAIT_BIT(DISPLAY),
    .decode = km_converse_decode,
    .event = km_converse_event,
    .end = km_converse_end,
    .refusal = km_bedrock_refusal,
    .embed_most = 1,
    .embed_encode = km_bedrock_embed_encode,
    .embed_decode = km_bedrock_embed_decode,
};

const struct km_codec km_codec_bedrock_cohere = {
    .name = "Bedrock InvokeModel",
    .target = target,
    .refusal = km_bedrock_refusal,
    .embed_most = KM_BEDROCK_COHERE_MOST,
    .embed_encode = km_bedrock_embed_encode,
    .embed_decode = km_bedrock_embed_decode,
};

const struct km_provider km_provider_bedrock = {
    .name = "bedrock",
    .key_env = { "AWS_BEARER_TOKEN_BEDROCK" },
    .usage = KM_USAGE_ALWAYS,
    .max_tokens = "max_tokens",
    .codec = &km_codec_converse,
    .build = build,
};

const struct km_provider km_provider_bedrock_mantle = {
    .name = "bedrock_mantle",
    .key_env = { "AWS_BEARER_TOKEN_BEDROCK" },
    .max_tokens = "max_completion_tokens",
    .build = build_mantle,
};
