/* SPDX-License-Identifier: Apache-2.0 */
/* ollama.c - Ollama's own API: /api/chat and /api/embed, JSON lines for streams.
 *
 *     {"model","messages":[{"role","content","images","tool_calls","tool_name","thinking"}],
 *      "tools","format","options":{...},"think","keep_alive","stream"}
 *
 * `ollama/` and `ollama_chat/` models are both asked here: OpenAI's surface of the same server
 * reads none of its options, so that `num_ctx` would be lost there and a prompt cut in silence
 * (ollama_options.c has them).
 *
 * Calls of tools have no ids here: each gets one of its own, and a result is matched by the
 * tool's name.  A call's input comes whole.
 *
 * Source: Ollama's docs/api.md.
 */
#include "http/json_take.h"
#include "llm/dropped.h"
#include "llm/model_build.h"
#include "llm/param.h"
#include "llm/provider/codecs.h"
#include "llm/provider/ollama.h"
#include "llm/provider/rows.h"
#include "llm/usage.h"

struct state {
    bool started, done, tools;
    enum km_chat_event_kind last; /* what the block under way is made of */
    unsigned blocks; /* begun so far */
};

static struct km_str target(const struct km_target_args *args, struct km_arena *arena)
{
    (void)arena;
    return args->wire == KM_WIRE_EMBEDDING ? KM_STR("/api/embed") : KM_STR("/api/chat");
}

/* --- the request --- */

static int unfit(struct km_err *err, const char *what)
{
    return km_fail_param(err, KM_E_UNSUPPORTED, "messages", "Ollama takes no %s.", what);
}

static void calls(struct km_json_out *o, const struct km_message *m)
{
    bool open = false;

    for (const struct km_part *p = m->parts; p; p = p->next) {
        if (p->kind != KM_PART_TOOL_USE)
            continue;
        if (!open) {
            km_out_key(o, "tool_calls");
            km_out_open(o, '[');
            open = true;
        }
        km_out_open(o, '{');
        km_out_key(o, "function");
        km_out_open(o, '{');
        km_out_member(o, "name", p->name);
        km_out_member_raw(o, "arguments", p->input_json.n ? p->input_json : KM_STR("{}"));
        km_out_close(o, '}');
        km_out_close(o, '}');
    }
    if (open)
        km_out_close(o, ']');
}

/* The texts of one kind, one behind the other. */
static struct km_str text_of(struct km_arena *arena, const struct km_part *parts,
                             enum km_part_kind kind)
{
    struct km_str text = KM_STR_NONE;

    for (const struct km_part *p = parts; p; p = p->next)
        if (p->kind == kind && p->text.n)
            text = text.n ? km_arena_cat(arena, (struct km_str[]){ text, KM_STR("\n"), p->text }, 3)
                          : p->text;
    return text;
}

static int images(struct km_json_out *o, const struct km_part *parts, struct km_err *err)
{
    bool open = false;

    for (const struct km_part *p = parts; p; p = p->next) {
        if (p->kind == KM_PART_DOCUMENT || p->kind == KM_PART_AUDIO)
            return unfit(err, p->kind == KM_PART_AUDIO ? "audio" : "documents");
        if (p->kind != KM_PART_IMAGE)
            continue;
        if (!p->media.data.n)
            return unfit(err, "images by address: send their data, or set kanmon_settings."
                              "fetch_remote_media: true");
        if (!open) {
            km_out_key(o, "images");
            km_out_open(o, '[');
            open = true;
        }
        km_out_str(o, p->media.data);
    }
    if (open)
        km_out_close(o, ']');
    return 0;
}

static int result(struct km_json_out *o, struct km_arena *arena, const struct km_part *p,
                  struct km_err *err)
{
    int r;

    km_out_open(o, '{');
    km_out_member(o, "role", KM_STR("tool"));
    if (p->name.n)
        km_out_member(o, "tool_name", p->name);
    km_out_member(o, "content", text_of(arena, p->content, KM_PART_TEXT));
    r = images(o, p->content, err);
    km_out_close(o, '}');
    return r;
}

static int message(struct km_json_out *o, struct km_arena *arena, const struct km_message *m,
                   struct km_err *err)
{
    static const char *const roles[] = { [KM_ROLE_SYSTEM] = "system", [KM_ROLE_USER] = "user",
                                         [KM_ROLE_ASSISTANT] = "assistant" };
    struct km_str thinking = text_of(arena, m->parts, KM_PART_REASONING);
    bool others = false;
    int r = 0;

    for (const struct km_part *p = m->parts; r == 0 && p; p = p->next) {
        if (p->kind == KM_PART_TOOL_RESULT)
            r = result(o, arena, p, err);
        else
            others = true;
    }
    if (r < 0 || !others)
        return r;
    km_out_open(o, '{');
    km_out_member(o, "role", km_str_c(roles[m->role]));
    km_out_member(o, "content", text_of(arena, m->parts, KM_PART_TEXT));
    if (thinking.n)
        km_out_member(o, "thinking", thinking);
    r = images(o, m->parts, err);
    calls(o, m);
    km_out_close(o, '}');
    return r;
}

static int tools(struct km_json_out *o, const struct km_encode_args *args,
                 const struct km_chat *chat, struct km_err *err)
{
    if (!chat->tools || chat->tool_choice == KM_CHOICE_NONE)
        return 0;
    if (chat->tool_choice != KM_CHOICE_AUTO && !args->d->drop_params) /* no empty promises */
        return km_fail_param(err, KM_E_UNSUPPORTED, "tool_choice",
                             "%.*s cannot be made to call a tool: 'tool_choice' is auto or none. "
                             "Leave it out, or set litellm_settings.drop_params: true to have it "
                             "dropped.",
                             KM_STR_ARG(args->d->provider_name));
    km_out_key(o, "tools");
    km_out_open(o, '[');
    for (const struct km_tool *t = chat->tools; t; t = t->next) {
        if (t->hosted_json.n && km_tool_refuse(args->d, t, err) < 0)
            return KM_E_UNSUPPORTED;
        if (t->hosted_json.n)
            continue;
        km_out_open(o, '{');
        km_out_member(o, "type", KM_STR("function"));
        km_out_key(o, "function");
        km_out_open(o, '{');
        km_out_member(o, "name", t->name);
        km_out_member(o, "description", t->description);
        km_out_member_raw(o, "parameters",
                          t->schema_json.n ? t->schema_json
                                           : KM_STR("{\"type\":\"object\",\"properties\":{}}"));
        km_out_close(o, '}');
        km_out_close(o, '}');
    }
    km_out_close(o, ']');
    return 0;
}

/* Thinking is on, off, or a level where the model has levels. */
static void think(struct km_json_out *o, const struct km_encode_args *args,
                  const struct km_chat *chat)
{
    bool off = (km_chat_has(chat, KM_P_EFFORT) && chat->effort == KM_EFFORT_NONE) ||
               (km_chat_has(chat, KM_P_THINKING) && chat->thinking == KM_THINKING_OFF);

    if (!km_chat_has(chat, KM_P_EFFORT) && !km_chat_has(chat, KM_P_THINKING))
        return;
    km_out_key(o, "think");
    if (!off && args->can->family == KM_FAMILY_GPT_OSS && km_chat_has(chat, KM_P_EFFORT))
        km_out_cstr(o, chat->effort <= KM_EFFORT_LOW      ? "low"
                       : chat->effort == KM_EFFORT_MEDIUM ? "medium"
                                                          : "high");
    else
        km_out_bool(o, !off);
}

static int encode(const struct km_encode_args *args, const struct km_chat *chat,
                  struct km_json_out *o, struct km_err *err)
{
    int r = 0;

    km_out_open(o, '{');
    km_out_member(o, "model", args->model);
    km_out_key(o, "messages");
    km_out_open(o, '[');
    for (const struct km_message *m = chat->messages; r == 0 && m; m = m->next)
        r = message(o, args->arena, m, err);
    km_out_close(o, ']');
    if (r == 0)
        r = tools(o, args, chat, err);
    if (r < 0)
        return r;
    if (chat->format == KM_FORMAT_JSON)
        km_out_member(o, "format", KM_STR("json"));
    else if (chat->format == KM_FORMAT_SCHEMA)
        km_out_member_raw(o, "format", chat->schema_json);
    think(o, args, chat);
    km_ollama_options(args, chat, o);
    km_ollama_members(chat, o);
    km_out_key(o, "stream");
    km_out_bool(o, args->stream);
    km_out_close(o, '}');
    return 0;
}

/* --- the answer --- */

static int put(struct km_decode *d, enum km_chat_event_kind kind, struct km_str text,
               struct km_err *err)
{
    struct state *s = d->state;
    struct km_chat_event e = { .kind = kind, .text = text };

    if (s->last != kind || kind == KM_CHAT_TOOL)
        s->blocks++;
    s->last = kind;
    e.block = s->blocks - 1;
    return km_answer_put(d->answer, &e, err);
}

static int call(struct km_decode *d, const struct km_json *v, struct km_err *err)
{
    const struct km_json *function = km_json_take(v, "function");
    const struct km_json *input = km_json_take(function, "arguments");
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024 * 1024);
    struct state *s = d->state;
    struct km_chat_event e = { .kind = KM_CHAT_TOOL, .block = s->blocks };
    int r;

    if (!km_json_string(km_json_take(function, "name"), &e.name))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "Ollama called a tool without a name.");
    /* The answer's own id and the place of the call: unique, and the same again for a test. */
    e.id = km_arena_printf(d->scratch, "call_%.*s_%u", KM_STR_ARG(d->answer->id), s->blocks);
    s->blocks++;
    s->tools = true;
    s->last = KM_CHAT_TOOL;
    r = km_answer_put(d->answer, &e, err);
    if (r < 0 || km_json_kind(input) != KM_JSON_OBJECT)
        return r;
    km_json_take_write(input, &json);
    e.kind = KM_CHAT_TOOL_INPUT;
    e.text = km_buf_view(&json);
    return km_answer_put(d->answer, &e, err);
}

static int finish(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    struct state *s = d->state;
    struct km_chat_event e = { .kind = KM_CHAT_USAGE };
    struct km_str reason = KM_STR_NONE;
    bool bad = false;
    int r;

    s->done = true;
    /* A prompt that is all in its cache has no count. */
    e.usage = (struct km_usage){ .prompt_tokens = km_usage_count(root, "prompt_eval_count", &bad),
                                 .completion_tokens = km_usage_due(root, "eval_count", &bad) };
    km_usage_judge(&e.usage, bad);
    r = km_answer_put(d->answer, &e, err);
    (void)km_json_string(km_json_take(root, "done_reason"), &reason);
    e = (struct km_chat_event){ .kind = KM_CHAT_FINISH };
    e.finish = s->tools                              ? KM_FINISH_TOOLS
               : km_str_eq(reason, KM_STR("length")) ? KM_FINISH_LENGTH
                                                     : KM_FINISH_STOP;
    return r == 0 ? km_answer_put(d->answer, &e, err) : r;
}

static int piece(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    const struct km_json *message = km_json_take(root, "message"), *item;
    struct km_json_iter it;
    struct km_str text, key;
    int r = 0;

    if (km_json_string(km_json_take(message, "thinking"), &text) && text.n)
        r = put(d, KM_CHAT_REASONING, text, err);
    if (r == 0 && km_json_string(km_json_take(message, "content"), &text) && text.n)
        r = put(d, KM_CHAT_TEXT, text, err);
    for (km_json_iter(km_json_take(message, "tool_calls"), &it);
         r == 0 && km_json_next(&it, &key, &item);)
        r = call(d, item, err);
    return r;
}

/* A line of a stream, or all of a whole answer. */
/* What is of its own form, and how long it took. */
static const struct km_str idle[] = {
    KM_IDLE("model"),
    KM_IDLE("created_at"),
    KM_IDLE("done"),
    KM_IDLE("message.role"),
    KM_IDLE("message.tool_calls.id"), /* calls are numbered here */
    KM_IDLE("message.tool_calls.function.index"),
    KM_IDLE("total_duration"),
    KM_IDLE("load_duration"),
    KM_IDLE("prompt_eval_duration"),
    KM_IDLE("eval_duration"),
    KM_IDLE("prompt_eval_count"), /* both are read at the end */
    KM_IDLE("eval_count"),
    KM_IDLE(""),
};

static int read_one(struct km_decode *d, struct km_str text, struct km_err *err)
{
    struct state *s = d->state;
    struct km_chat_event start = { .kind = KM_CHAT_START };
    const struct km_json *root;
    struct km_str error;
    bool done = false;
    int r = 0;

    if (km_decode_json(d, d->scratch, text, &root, NULL) < 0 ||
        km_json_kind(root) != KM_JSON_OBJECT)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "Ollama's answer is no JSON object.");
    if (km_json_string(km_json_take(root, "error"), &error)) {
        (void)km_fail(err, KM_E_UPSTREAM_PROTOCOL, "Ollama: %.*s",
                      KM_STR_ARG(km_str_sub(error, 0, 300)));
        if (err)
            km_refusal_judge(err, error);
        return KM_E_UPSTREAM_PROTOCOL;
    }
    if (s->done)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "Ollama went on after its end.");
    if (!s->started) {
        s->started = true;
        r = km_answer_put(d->answer, &start, err);
    }
    if (r == 0)
        r = piece(d, root, err);
    if (r == 0 && km_json_bool(km_json_take(root, "done"), &done) && done)
        r = finish(d, root, err);
    return r;
}

static int event(struct km_decode *d, const struct km_frame_event *e, struct km_err *err)
{
    return read_one(d, e->data, err);
}

static int end(struct km_decode *d, struct km_err *err)
{
    const struct state *s = d->state;

    return s->done ? 0
                   : km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                             "Ollama's answer ended before it was complete.");
}

static int decode(struct km_decode *d, struct km_str body, struct km_err *err)
{
    int r = read_one(d, body, err);

    return r == 0 ? end(d, err) : r;
}

static const char *const extras[] = { NULL };

#define BIT(p) KM_P_BIT(KM_P_##p)

const struct km_codec km_codec_ollama = {
    .name = "Ollama",
    .framing = KM_FRAMING_LINES,
    .maps = BIT(MAX_TOKENS) | BIT(TEMPERATURE) | BIT(TOP_P) | BIT(TOP_K) | BIT(STOP) | BIT(SEED) |
            BIT(FREQUENCY_PENALTY) | BIT(PRESENCE_PENALTY) | BIT(FORMAT) | BIT(TOOLS) |
            BIT(TOOL_CHOICE) | BIT(EFFORT) | BIT(THINKING),
    .drops = BIT(USER) | BIT(METADATA) | BIT(STORE) | BIT(PREDICTION) | BIT(CACHE_KEY) |
             BIT(VERBOSITY),
    .extras = extras,
    .apis = KM_API_OLLAMA_OPTIONS | KM_API_OLLAMA_CHAT,
    .state_size = sizeof(struct state),
    .target = target,
    .encode = encode,
    .decode = decode,
    .event = event,
    .end = end,
    .refusal = km_refusal_openai,
    .idle = idle,
    .carries = KM_TRAIT_BIT(THOUGHTS) | KM_TRAIT_BIT(UNSIGNED) | KM_TRAIT_BIT(SPOKEN_IMAGE),
    .embed_encode = km_ollama_embed_encode,
    .embed_decode = km_ollama_embed_decode,
};

/* People write the address of OpenAI's surface, and LiteLLM takes that of the endpoint. */
static int build(struct km_deployment *d, const struct km_model_build *b,
                 const struct km_model_entry *entry, struct km_err *err)
{
    static const char *const tails[] = { "/v1", "/api/chat", "/api/generate", "/api" };

    (void)b;
    (void)entry;
    (void)err;
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++)
        if (km_str_ends(d->base_path, km_str_c(tails[i]))) {
            d->base_path.n -= strlen(tails[i]);
            break;
        }
    return 0;
}

#define OLLAMA                                                                                     \
    .base = "http://localhost:11434", .key_env = { "OLLAMA_API_KEY" },                             \
    .base_env = "OLLAMA_API_BASE", .max_tokens = "num_predict", .codec = &km_codec_ollama,         \
    .build = build

const struct km_provider km_provider_ollama = { .name = "ollama", OLLAMA };
const struct km_provider km_provider_ollama_chat = { .name = "ollama_chat", OLLAMA };
