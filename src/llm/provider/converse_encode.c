/* SPDX-License-Identifier: Apache-2.0 */
/* converse_encode.c - the canonical chat as a Converse body.
 *
 *     messages, system, toolConfig     converse_turns.c, converse_tools.c
 *     inferenceConfig                  what every model has: bounds and sampling
 *     additionalModelRequestFields     what one family has: thinking, effort, top_k
 *     outputConfig                     a schema, where the model can be held to one
 *     guardrailConfig and its like     as the caller or the deployment gave them
 *
 * Claude's rules are those of the Messages codec, whose plan is used as it is.  The other families
 * have no thinking but for an effort, each under a name of its own.
 *
 * A member that nobody here knows goes among the additional fields, as with LiteLLM: that is
 * where a model's own parameters belong, and Bedrock says when it is none.
 */
#include "llm/provider/converse.h"

#define FIELDS_MOST 192 /* more than a request may have members nobody knows */

/* --- additional fields --- */

struct fields {
    struct km_chat_extra v[FIELDS_MOST];
    size_t n;
};

/* The last one of a name holds. */
static void add_field(struct fields *f, struct km_str name, struct km_str json)
{
    size_t i = 0;

    while (i < f->n && !km_str_eq(f->v[i].name, name))
        i++;
    if (i == FIELDS_MOST)
        return;
    f->v[i] = (struct km_chat_extra){ .name = name, .json = json };
    f->n += i == f->n;
}

static struct km_str quoted(struct km_arena *arena, const char *before, struct km_str s,
                            const char *behind)
{
    return km_arena_printf(arena, "%s\"%.*s\"%s", before, KM_STR_ARG(s), behind);
}

static void add_thinking(const struct km_converse_writer *w, struct fields *f)
{
    static const char *const types[] = { NULL, "disabled", "enabled", "adaptive" };
    struct km_arena *arena = w->args->arena;
    struct km_str display = w->chat->thinking_display, more = KM_STR_NONE;
    const char *type = types[w->plan.think];

    if (!type)
        return;
    if (w->plan.think == KM_MESSAGES_THINK_BUDGET)
        more = km_arena_printf(arena, ",\"budget_tokens\":%lld", (long long)w->plan.budget);
    if (w->plan.think > KM_MESSAGES_THINK_OFF && km_str_plain(display) == display.n && display.n)
        more = km_arena_cat(
            arena, (struct km_str[]){ more, quoted(arena, ",\"display\":", display, "") }, 2);
    add_field(f, KM_STR("thinking"),
              km_arena_printf(arena, "{\"type\":\"%s\"%.*s}", type, KM_STR_ARG(more)));
}

/* Only one call at a time: Converse has no word for it, Claude has. */
static void add_alone(const struct km_converse_writer *w, struct fields *f)
{
    static const char *const types[] = { [KM_CHOICE_AUTO] = "auto",
                                         [KM_CHOICE_REQUIRED] = "any",
                                         [KM_CHOICE_NAMED] = "tool" };
    struct km_arena *arena = w->args->arena;
    enum km_tool_choice choice = w->plan.choice_said ? w->plan.choice : KM_CHOICE_AUTO;
    struct km_str name = KM_STR_NONE;

    if (w->chat->parallel_tools || !w->chat->tools || choice == KM_CHOICE_NONE ||
        w->args->can->generation < 45)
        return;
    if (choice == KM_CHOICE_NAMED)
        name = quoted(arena, ",\"name\":",
                      w->plan.json_tool && w->chat->tool_choice != KM_CHOICE_NAMED
                          ? KM_STR(KM_JSON_TOOL)
                          : km_messages_clean(w->chat->tool_name, KM_CONVERSE_NAME_MOST, arena),
                      "");
    add_field(f, KM_STR("tool_choice"),
              km_arena_printf(arena, "{\"type\":\"%s\"%.*s,\"disable_parallel_tool_use\":true}",
                              types[choice], KM_STR_ARG(name)));
}

static bool has_schema(const struct km_converse_writer *w)
{
    return w->chat->format == KM_FORMAT_SCHEMA && !w->plan.json_tool && !w->schema_hint;
}

static void add_claude(const struct km_converse_writer *w, struct fields *f)
{
    struct km_str betas = km_bedrock_betas(w->args, w->chat, false);

    if (betas.n)
        add_field(f, KM_STR("anthropic_beta"), betas);
    if (w->plan.samples && km_chat_has(w->chat, KM_P_TOP_K))
        add_field(f, KM_STR("top_k"), w->chat->top_k);
    add_thinking(w, f);
    if (w->plan.effort && !has_schema(w)) /* beside a schema it stands in outputConfig */
        add_field(f, KM_STR("output_config"),
                  quoted(w->args->arena, "{\"effort\":", km_str_c(w->plan.effort), "}"));
    add_alone(w, f);
}

/* --- efforts of the others --- */

static const char *effort_name(const struct km_converse_writer *w)
{
    const struct km_chat *chat = w->chat;
    enum km_effort e = chat->effort;

    if (!km_chat_has(chat, KM_P_EFFORT)) {
        if (!km_chat_has(chat, KM_P_THINKING) || chat->thinking == KM_THINKING_OFF)
            return NULL;
        e = chat->thinking == KM_THINKING_BUDGET ? km_budget_effort(chat->thinking_budget)
                                                 : KM_EFFORT_MEDIUM;
    }
    if (e == KM_EFFORT_NONE)
        return NULL;
    return km_effort_name(e == KM_EFFORT_MINIMAL ? KM_EFFORT_LOW
                          : e > KM_EFFORT_HIGH   ? KM_EFFORT_HIGH
                                                 : e);
}

static int add_effort(const struct km_converse_writer *w, struct fields *f, struct km_err *err)
{
    const char *effort = effort_name(w);
    const char *param =
        km_chat_param_name(km_chat_has(w->chat, KM_P_EFFORT) ? KM_P_EFFORT : KM_P_THINKING);
    struct km_arena *arena = w->args->arena;

    if (!effort)
        return 0;
    if (km_converse_is(w, KM_FAMILY_GPT_OSS)) {
        add_field(f, KM_STR("reasoning_effort"), quoted(arena, "", km_str_c(effort), ""));
    } else if (km_converse_is(w, KM_FAMILY_NOVA) && (w->args->can->can & KM_CAN_EFFORT)) {
        add_field(
            f, KM_STR("reasoningConfig"),
            quoted(arena, "{\"type\":\"enabled\",\"maxReasoningEffort\":", km_str_c(effort), "}"));
    } else if (!w->args->d->drop_params) {
        return km_fail_param(err, KM_E_UNSUPPORTED, param,
                             "'%s' is not known to model '%.*s' of %.*s. Leave it out, or set "
                             "litellm_settings.drop_params: true to have it dropped.",
                             param, KM_STR_ARG(w->args->model),
                             KM_STR_ARG(w->args->d->provider_name));
    }
    return 0;
}

static int add_others(const struct km_converse_writer *w, struct fields *f, struct km_err *err)
{
    struct km_str k = w->chat->top_k;

    if (km_chat_has(w->chat, KM_P_TOP_K)) {
        if (km_converse_is(w, KM_FAMILY_NOVA))
            add_field(f, KM_STR("inferenceConfig"),
                      km_arena_printf(w->args->arena, "{\"topK\":%.*s}", KM_STR_ARG(k)));
        else
            add_field(f, km_converse_is(w, KM_FAMILY_COHERE) ? KM_STR("k") : KM_STR("top_k"), k);
    }
    return add_effort(w, f, err);
}

/* --- what the caller or the deployment says in Converse's own words --- */

static const struct {
    const char *name, *as;
} passed[] = {
    { "guardrailConfig", "guardrailConfig" },
    { "guardrail_config", "guardrailConfig" },
    { "performanceConfig", "performanceConfig" },
    { "requestMetadata", "requestMetadata" },
    { "serviceTier", "serviceTier" },
    { "promptVariables", "promptVariables" },
    { "additionalModelResponseFieldPaths", "additionalModelResponseFieldPaths" },
};

static const char *passed_as(struct km_str name)
{
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        if (km_str_eq(name, km_str_c(passed[i].name)))
            return passed[i].as;
    return NULL;
}

static const struct km_chat_extra *extra(const struct km_chat *chat, const char *name)
{
    const struct km_chat_extra *x = chat->extras;

    while (x && !km_str_eq(x->name, km_str_c(name)))
        x = x->next;
    return x;
}

static int add_extras(const struct km_converse_writer *w, struct fields *f, struct km_err *err)
{
    const struct km_json *root, *item;
    struct km_json_iter it;
    struct km_str key;

    for (const struct km_chat_extra *x = w->chat->extras; x; x = x->next) {
        if (passed_as(x->name) || km_str_eq(x->name, KM_STR("anthropic_beta")))
            continue;
        if (!km_str_eq(x->name, KM_STR("additionalModelRequestFields"))) {
            add_field(f, x->name, x->json);
            continue;
        }
        if (km_json_parse(w->args->arena, x->json, &root, NULL) < 0 ||
            km_json_kind(root) != KM_JSON_OBJECT)
            return km_fail_param(err, KM_E_INVALID, "additionalModelRequestFields",
                                 "'additionalModelRequestFields' must be an object.");
        for (km_json_iter(root, &it); km_json_next(&it, &key, &item);)
            add_field(f, key, km_json_compact(item, w->args->arena));
    }
    return 0;
}

static int write_fields(const struct km_converse_writer *w, struct km_str hosted,
                        struct km_err *err)
{
    struct fields f;
    int r = 0;

    f.n = 0; /* and no more: there is room for many */
    if (hosted.n)
        add_field(&f, KM_STR("tools"), hosted);
    if (km_converse_is(w, KM_FAMILY_CLAUDE))
        add_claude(w, &f);
    else
        r = add_others(w, &f, err);
    if (r == 0)
        r = add_extras(w, &f, err);
    if (r < 0 || !f.n)
        return r;
    km_out_key(w->out, "additionalModelRequestFields");
    km_out_open(w->out, '{');
    for (size_t i = 0; i < f.n; i++) {
        km_out_key_str(w->out, f.v[i].name);
        km_out_raw(w->out, f.v[i].json);
    }
    km_out_close(w->out, '}');
    return 0;
}

/* --- bounds and sampling --- */

static struct km_str clamped(const struct km_converse_writer *w, struct km_str number)
{
    int64_t nano;

    if (!km_converse_is(w, KM_FAMILY_CLAUDE))
        return number;
    if (number.p[0] == '-')
        return KM_STR("0");
    return km_str_decimal(number, 9, &nano) < 0 || nano > 1000000000 ? KM_STR("1") : number;
}

static bool only_space(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
            return false;
    return true;
}

static size_t stops_of(const struct km_converse_writer *w)
{
    size_t n = 0;

    for (size_t i = 0; km_chat_has(w->chat, KM_P_STOP) && i < w->chat->nstop; i++)
        n += !only_space(w->chat->stop[i]);
    return n;
}

/* Left out where nobody bounds it: Bedrock then takes the model's most, and it counts what is
 * said here against the account's quota. */
static int64_t bound_of(const struct km_converse_writer *w)
{
    const struct km_messages_plan *plan = &w->plan;

    if (w->args->max_tokens >= 0 || w->chat->max_tokens >= 0)
        return plan->max_tokens;
    if (plan->think != KM_MESSAGES_THINK_BUDGET)
        return -1;
    return plan->max_tokens < plan->budget + 4096 ? plan->max_tokens : plan->budget + 4096;
}

static void write_inference(const struct km_converse_writer *w)
{
    const struct km_chat *chat = w->chat;
    bool t = w->plan.samples && km_chat_has(chat, KM_P_TEMPERATURE);
    bool p = w->plan.samples && km_chat_has(chat, KM_P_TOP_P) &&
             (!t || (w->args->can->can & KM_CAN_SAMPLE_BOTH));
    int64_t bound = bound_of(w);
    size_t stops = stops_of(w);

    if (bound < 0 && !t && !p && !stops)
        return;
    km_out_key(w->out, "inferenceConfig");
    km_out_open(w->out, '{');
    if (bound >= 0)
        km_out_member_i64(w->out, "maxTokens", bound);
    if (t)
        km_out_member_raw(w->out, "temperature", clamped(w, chat->temperature));
    if (p)
        km_out_member_raw(w->out, "topP", clamped(w, chat->top_p));
    if (stops) {
        km_out_key(w->out, "stopSequences");
        km_out_open(w->out, '[');
        for (size_t i = 0; i < chat->nstop; i++)
            if (!only_space(chat->stop[i]))
                km_out_str(w->out, chat->stop[i]);
        km_out_close(w->out, ']');
    }
    km_out_close(w->out, '}');
}

/* --- the answer's form --- */

/* Claude wants every object closed; the schema is a text there. */
static int schema_text(const struct km_converse_writer *w, struct km_str *ret, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024 * 1024);
    const struct km_json *schema;
    struct km_json_out out;

    *ret = w->chat->schema_json;
    if (!km_converse_is(w, KM_FAMILY_CLAUDE))
        return 0;
    if (km_json_parse(w->args->arena, w->chat->schema_json, &schema, err) < 0)
        return km_fail_param(err, KM_E_INVALID, "response_format",
                             "'response_format' holds a schema that is no JSON.");
    km_json_out_init(&out, &text);
    km_messages_write_schema(&out, schema);
    *ret = km_arena_str(w->args->arena, km_buf_view(&text));
    return km_buf_failed(&text) ? km_fail(err, KM_E_LIMIT, "the schema is too large") : 0;
}

static int write_output(const struct km_converse_writer *w, struct km_err *err)
{
    struct km_str name = w->chat->schema_name, schema;
    int r;

    if (!has_schema(w))
        return 0;
    r = schema_text(w, &schema, err);
    if (r < 0)
        return r;
    km_out_key(w->out, "outputConfig");
    km_out_open(w->out, '{');
    km_out_key(w->out, "textFormat");
    km_out_open(w->out, '{');
    km_out_member(w->out, "type", KM_STR("json_schema"));
    km_out_key(w->out, "structure");
    km_out_open(w->out, '{');
    km_out_key(w->out, "jsonSchema");
    km_out_open(w->out, '{');
    km_out_member(w->out, "schema", schema);
    if (name.n)
        km_out_member(w->out, "name",
                      km_messages_clean(name, KM_CONVERSE_NAME_MOST, w->args->arena));
    if (w->chat->schema_description.n)
        km_out_member(w->out, "description", w->chat->schema_description);
    km_out_close(w->out, '}');
    km_out_close(w->out, '}');
    km_out_close(w->out, '}');
    if (w->plan.effort)
        km_out_member(w->out, "effort", km_str_c(w->plan.effort));
    km_out_close(w->out, '}');
    return 0;
}

/* --- the rest --- */

static int write_tier(const struct km_converse_writer *w, struct km_err *err)
{
    static const char *const known[] = { "default", "flex", "priority", "reserved" };
    struct km_str tier = w->chat->service_tier;

    if (!km_chat_has(w->chat, KM_P_SERVICE_TIER) || !tier.n || extra(w->chat, "serviceTier") ||
        km_str_eq(tier, KM_STR("auto")))
        return 0;
    if (km_str_eq(tier, KM_STR("standard_only")))
        tier = KM_STR("default");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!km_str_eq(tier, km_str_c(known[i])))
            continue;
        km_out_key(w->out, "serviceTier");
        km_out_open(w->out, '{');
        km_out_member(w->out, "type", tier);
        km_out_close(w->out, '}');
        return 0;
    }
    if (w->args->d->drop_params)
        return 0;
    return km_fail_param(
        err, KM_E_UNSUPPORTED, "service_tier",
        "'service_tier' is auto, default, flex, priority or reserved at %.*s. Leave "
        "it out, or set litellm_settings.drop_params: true to have it dropped.",
        KM_STR_ARG(w->args->d->provider_name));
}

static void write_passed(const struct km_converse_writer *w)
{
    for (const struct km_chat_extra *x = w->chat->extras; x; x = x->next) {
        const char *as = passed_as(x->name);

        /* Two spellings of one: the first holds. */
        if (as && (km_str_eq(x->name, km_str_c(as)) || !extra(w->chat, as)))
            km_out_member_raw(w->out, as, x->json);
    }
    /* Which sequence was met is said only when asked for. */
    if (km_converse_is(w, KM_FAMILY_CLAUDE) && stops_of(w) &&
        !extra(w->chat, "additionalModelResponseFieldPaths"))
        km_out_member_raw(w->out, "additionalModelResponseFieldPaths",
                          KM_STR("[\"/stop_sequence\"]"));
}

static int plan(struct km_converse_writer *w, struct km_chat *copy, struct km_err *err)
{
    unsigned can = w->args->can->can;

    *copy = *w->chat;
    if (!km_converse_is(w, KM_FAMILY_CLAUDE))
        copy->set &= ~(KM_P_BIT(KM_P_THINKING) | KM_P_BIT(KM_P_EFFORT));
    if (copy->format == KM_FORMAT_SCHEMA && !(can & (KM_CAN_SCHEMA | KM_CAN_FORCE_TOOL))) {
        w->schema_hint = true;
        copy->format = KM_FORMAT_TEXT;
    }
    return km_messages_plan(w->args, copy, &w->plan, err);
}

int km_converse_encode(const struct km_encode_args *args, const struct km_chat *chat,
                       struct km_json_out *out, struct km_err *err)
{
    struct km_converse_writer w = { .args = args, .chat = chat, .out = out };
    struct km_str hosted = KM_STR_NONE;
    struct km_chat copy;
    int r = plan(&w, &copy, err);

    if (r < 0)
        return r;
    if (args->state)
        km_converse_note(args->state, chat, w.plan.json_tool, args->keep);
    km_out_open(out, '{');
    r = km_converse_write_turns(&w, err);
    if (r == 0) {
        write_inference(&w);
        r = km_converse_write_tools(&w, &hosted, err);
    }
    if (r == 0)
        r = write_fields(&w, hosted, err);
    if (r == 0)
        r = write_output(&w, err);
    if (r == 0)
        r = write_tier(&w, err);
    if (r < 0)
        return r;
    write_passed(&w);
    km_out_close(out, '}');
    return 0;
}
