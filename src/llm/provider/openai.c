/* SPDX-License-Identifier: Apache-2.0 */
/* openai.c - the canonical chat as a chat completions body, and the rows of its codecs.
 *
 * Used where the caller speaks another protocol than this upstream; OpenAI's own callers are
 * passed on by their spans.  Some thirty providers speak this protocol, each with members it
 * refuses; what they differ in are columns of their rows (provider.h), not code here.
 */
#include "llm/provider/openai.h"

#include "base/encode.h"
#include "llm/provider/codecs.h"

#define USER_MOST 64 /* bytes */

struct km_str km_openai_realtime(struct km_str path, struct km_str model, struct km_arena *arena)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_str(&out, path);
    km_url_encode(&out, model);
    return km_arena_str(arena, km_buf_view(&out));
}

struct km_str km_openai_target(const struct km_target_args *args, struct km_arena *arena)
{
    switch (args->wire) {
    case KM_WIRE_MEDIA:
    case KM_WIRE_FILES:
        return args->path;
    case KM_WIRE_COMPLETION:
        return KM_STR("/completions");
    case KM_WIRE_EMBEDDING:
        return KM_STR("/embeddings");
    case KM_WIRE_RESPONSES: /* and what stands below it */
        return args->path.n ? args->path : KM_STR("/responses");
    case KM_WIRE_RERANK:
        return KM_STR("/rerank");
    case KM_WIRE_REALTIME:
        return km_openai_realtime(KM_STR("/realtime?model="), args->model, arena);
    default:
        return KM_STR("/chat/completions");
    }
}

/* --- tools --- */

static void function(struct km_json_out *o, const struct km_tool *tool)
{
    km_out_open(o, '{');
    km_out_member(o, "type", KM_STR("function"));
    km_out_key(o, "function");
    km_out_open(o, '{');
    km_out_member(o, "name", tool->name);
    if (tool->description.n)
        km_out_member(o, "description", tool->description);
    if (tool->schema_json.n)
        km_out_member_raw(o, "parameters", tool->schema_json);
    if (tool->strict >= 0) {
        km_out_key(o, "strict");
        km_out_bool(o, tool->strict);
    }
    km_out_close(o, '}');
    km_out_close(o, '}');
}

static void choice(struct km_json_out *o, const struct km_chat *chat)
{
    km_out_key(o, "tool_choice");
    if (chat->tool_choice != KM_CHOICE_NAMED) {
        km_out_cstr(o, chat->tool_choice == KM_CHOICE_NONE       ? "none"
                       : chat->tool_choice == KM_CHOICE_REQUIRED ? "required"
                                                                 : "auto");
        return;
    }
    km_out_open(o, '{');
    km_out_member(o, "type", KM_STR("function"));
    km_out_key(o, "function");
    km_out_open(o, '{');
    km_out_member(o, "name", chat->tool_name);
    km_out_close(o, '}');
    km_out_close(o, '}');
}

static int tools(const struct km_encode_args *args, const struct km_chat *chat,
                 struct km_json_out *o, struct km_err *err)
{
    size_t n = 0;

    for (const struct km_tool *t = chat->tools; t; t = t->next) {
        if (t->hosted_json.n && km_tool_refuse(args->d, t, err) < 0)
            return KM_E_UNSUPPORTED;
        n += !t->hosted_json.n;
    }
    if (!n)
        return 0; /* an empty list is refused there, and a choice among none */
    km_out_key(o, "tools");
    km_out_open(o, '[');
    for (const struct km_tool *t = chat->tools; t; t = t->next)
        if (!t->hosted_json.n)
            function(o, t);
    km_out_close(o, ']');
    if (km_chat_has(chat, KM_P_TOOL_CHOICE))
        choice(o, chat);
    if (!chat->parallel_tools) {
        km_out_key(o, "parallel_tool_calls");
        km_out_bool(o, false);
    }
    return 0;
}

/* --- the other parameters --- */

static void format(struct km_json_out *o, const struct km_chat *chat)
{
    if (chat->format == KM_FORMAT_TEXT)
        return;
    km_out_key(o, "response_format");
    km_out_open(o, '{');
    km_out_member(o, "type",
                  chat->format == KM_FORMAT_JSON ? KM_STR("json_object") : KM_STR("json_schema"));
    if (chat->format == KM_FORMAT_SCHEMA) {
        km_out_key(o, "json_schema");
        km_out_open(o, '{');
        km_out_member(o, "name", chat->schema_name.n ? chat->schema_name : KM_STR("answer"));
        if (chat->schema_description.n)
            km_out_member(o, "description", chat->schema_description);
        km_out_member_raw(o, "schema", chat->schema_json);
        if (chat->schema_strict >= 0) {
            km_out_key(o, "strict");
            km_out_bool(o, chat->schema_strict);
        }
        km_out_close(o, '}');
    }
    km_out_close(o, '}');
}

static void stop(struct km_json_out *o, const struct km_chat *chat)
{
    if (!chat->nstop)
        return;
    km_out_key(o, "stop");
    km_out_open(o, '[');
    for (size_t i = 0; i < chat->nstop; i++)
        km_out_str(o, chat->stop[i]);
    km_out_close(o, ']');
}

/* A budget becomes the effort nearest to it; where a model shall think as it sees fit, or not at
 * all, nothing is said: many models here know no effort. */
static void effort(struct km_json_out *o, const struct km_chat *chat)
{
    const char *name = NULL;

    if (km_chat_has(chat, KM_P_EFFORT))
        name = km_effort_name(chat->effort);
    else if (km_chat_has(chat, KM_P_THINKING) && chat->thinking == KM_THINKING_BUDGET)
        name = km_effort_name(km_budget_effort(chat->thinking_budget));
    if (name)
        km_out_member(o, "reasoning_effort", km_str_c(name));
}

static void raw(struct km_json_out *o, const char *name, struct km_str json)
{
    if (json.n)
        km_out_member_raw(o, name, json);
}

static void text(struct km_json_out *o, const char *name, struct km_str s)
{
    if (s.n)
        km_out_member(o, name, s);
}

static void sampling(const struct km_encode_args *args, const struct km_chat *chat,
                     struct km_json_out *o)
{
    int64_t most = args->max_tokens >= 0 ? args->max_tokens : chat->max_tokens;

    if (most >= 0)
        km_out_member_i64(o, args->d->provider->max_tokens, most);
    if (chat->n != 1)
        km_out_member_i64(o, "n", chat->n);
    raw(o, "temperature", chat->temperature);
    raw(o, "top_p", chat->top_p);
    if (args->d->provider->top_k || km_deployment_has_default(args->d, KM_STR("top_k")))
        raw(o, "top_k", chat->top_k);
    raw(o, "seed", chat->seed);
    raw(o, "frequency_penalty", chat->frequency_penalty);
    raw(o, "presence_penalty", chat->presence_penalty);
    raw(o, "logit_bias", chat->logit_bias_json);
    if (chat->logprobs) {
        km_out_key(o, "logprobs");
        km_out_bool(o, true);
        raw(o, "top_logprobs", chat->top_logprobs);
    }
    stop(o, chat);
}

static void others(const struct km_chat *chat, struct km_json_out *o)
{
    text(o, "verbosity", chat->verbosity);
    text(o, "service_tier", chat->service_tier);
    /* OpenAI refuses longer ones; Claude Code's are JSON of twice the length. */
    text(o, "user", km_utf8_cut(chat->user, USER_MOST));
    text(o, "prompt_cache_key", chat->cache_key);
    text(o, "prompt_cache_retention", chat->cache_retention);
    raw(o, "prediction", chat->prediction_json);
    raw(o, "modalities", chat->modalities_json);
    raw(o, "audio", chat->audio_json);
    raw(o, "web_search_options", chat->web_search_json);
    if (chat->store) { /* metadata belongs to what is stored, and is refused without */
        km_out_key(o, "store");
        km_out_bool(o, true);
        raw(o, "metadata", chat->metadata_json);
    }
    for (const struct km_chat_extra *e = chat->extras; e; e = e->next) {
        km_out_key_str(o, e->name);
        km_out_raw(o, e->json);
    }
}

int km_openai_encode(const struct km_encode_args *args, const struct km_chat *chat,
                     struct km_json_out *out, struct km_err *err)
{
    int r;

    km_out_open(out, '{');
    km_out_member(out, "model", args->model);
    km_out_key(out, "messages");
    r = km_openai_messages(args, chat, out, err);
    if (r == 0 && args->stream) {
        km_out_key(out, "stream");
        km_out_bool(out, true);
        if (args->d->provider->usage == KM_USAGE_OPTION && !args->d->no_stream_options &&
            !args->no_stream_options)
            km_out_member_raw(out, "stream_options", KM_STR("{\"include_usage\":true}"));
    }
    if (r == 0)
        r = tools(args, chat, out, err);
    if (r < 0)
        return r;
    sampling(args, chat, out);
    format(out, chat);
    effort(out, chat);
    others(chat, out);
    km_out_close(out, '}');
    return 0;
}

#define CHAT                                                                                       \
    .framing = KM_FRAMING_SSE, .remote_images = true, .top_k_by_row = true,                        \
    .target = km_openai_target, .encode = km_openai_encode, .idle = km_openai_idle,                \
    .carries = KM_OPENAI_CARRIES, .decode = km_openai_read,                                        \
    .event = km_openai_read_event,                                                                 \
    .end = km_openai_read_end, .refusal = km_refusal_openai

const struct km_codec km_codec_openai_compatible = {
    .name = "OpenAI-compatible chat",
    .native = KM_WIRE_CHAT | KM_WIRE_COMPLETION | KM_WIRE_EMBEDDING | KM_WIRE_MEDIA | KM_WIRE_FILES,
    .maps = KM_OPENAI_COMPATIBLE_MAPS,
    .drops = KM_OPENAI_ONLY,
    .state_size = KM_OPENAI_STATE,
    CHAT,
};

const struct km_codec km_codec_openai_rerank = {
    .name = "OpenAI-compatible chat",
    .native = KM_WIRE_CHAT | KM_WIRE_COMPLETION | KM_WIRE_EMBEDDING | KM_WIRE_RERANK |
              KM_WIRE_MEDIA | KM_WIRE_FILES,
    .maps = KM_OPENAI_COMPATIBLE_MAPS,
    .drops = KM_OPENAI_ONLY,
    .state_size = KM_OPENAI_STATE,
    CHAT,
};

/* vLLM's ChatCompletionRequest: what is not in it is taken and forgotten there, without a word. */
#define VLLM_NOT                                                                                   \
    (KM_P_BIT(KM_P_VERBOSITY) | KM_P_BIT(KM_P_SERVICE_TIER) | KM_P_BIT(KM_P_PREDICTION) |          \
     KM_P_BIT(KM_P_MODALITIES) | KM_P_BIT(KM_P_AUDIO) | KM_P_BIT(KM_P_WEB_SEARCH))

const struct km_codec km_codec_vllm = {
    .name = "vLLM's chat",
    .native = KM_WIRE_CHAT | KM_WIRE_COMPLETION | KM_WIRE_EMBEDDING | KM_WIRE_RERANK |
              KM_WIRE_MEDIA | KM_WIRE_FILES,
    .maps = KM_OPENAI_COMPATIBLE_MAPS & ~VLLM_NOT,
    .drops = KM_OPENAI_ONLY | KM_P_BIT(KM_P_VERBOSITY) | KM_P_BIT(KM_P_PREDICTION),
    .state_size = KM_OPENAI_STATE,
    CHAT,
};

const struct km_codec km_codec_openai = {
    .name = "OpenAI chat",
    .native = KM_WIRE_CHAT | KM_WIRE_COMPLETION | KM_WIRE_EMBEDDING | KM_WIRE_RESPONSES |
              KM_WIRE_MEDIA | KM_WIRE_FILES | KM_WIRE_REALTIME,
    .maps = KM_OPENAI_MAPS,
    .state_size = KM_OPENAI_STATE,
    CHAT,
};
