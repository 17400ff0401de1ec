/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic_encode.c - the canonical chat as a Messages body: bounds, sampling, thinking, format.
 *
 * What a generation of Claude takes differs more than what it does, and the parameters depend on
 * each other, so all of it is settled first, in a plan:
 *
 *     thinking   on by a budget (to 4.6), adaptive (from 4.6), or always (from 5.5)
 *     sampling   not while thinking, not from 4.7 on, not with the newest API version
 *     a tool is forced    only without thinking, and not from 5.5 on
 *     a schema   is told as such, or by a tool that must be called (to 4.0)
 *     max_tokens must be said, and must leave room for the thinking's budget
 *
 * Sampling is advice and is left out where it is refused.  A forced tool is a promise: where it
 * cannot be kept the caller hears so, unless drop_params is set.
 */
#include "llm/dropped.h"
#include "llm/provider/anthropic.h"

#include "llm/spellings.h"

#define DEFAULT_MAX_TOKENS 4096

const char *const km_messages_own[][2] = {
    { "system", NULL }, { "tools", NULL }, { "output_config", NULL }, { NULL, NULL },
};

const char *const km_messages_extras[] = {
    "container", "context_management", "inference_geo", "mcp_servers", "speed", "anthropic_beta",
    NULL,
};

static bool can(const struct km_encode_args *args, unsigned what)
{
    return (args->can->can & what) == what;
}

bool km_messages_needs_json_tool(const struct km_chat *chat, const struct km_capability *capability)
{
    return chat->format == KM_FORMAT_SCHEMA && !(capability->can & KM_CAN_SCHEMA);
}

static int refuse(const struct km_encode_args *args, enum km_chat_param p, struct km_err *err)
{
    const char *name = km_chat_param_name(p);

    if (args->d->drop_params)
        return 0;
    return km_fail_param(err, KM_E_UNSUPPORTED, name,
                         "'%s' is not taken so by model '%.*s' of %.*s. Leave it out, or set "
                         "litellm_settings.drop_params: true to have it dropped.",
                         name, KM_STR_ARG(args->model), KM_STR_ARG(args->d->provider_name));
}

/* --- thinking --- */

/* With a budget, an answer that goes on behind a tool's call must have begun with thinking. */
static bool calls_without_thought(const struct km_chat *chat)
{
    const struct km_message *last = NULL;
    bool calls = false;

    for (const struct km_message *m = chat->messages; m; m = m->next)
        if (m->role == KM_ROLE_ASSISTANT)
            last = m;
    for (const struct km_part *p = last ? last->parts : NULL; p; p = p->next) {
        if (p->kind == KM_PART_REDACTED || (p->kind == KM_PART_REASONING && p->signature.n))
            return false;
        calls = calls || p->kind == KM_PART_TOOL_USE;
    }
    return calls;
}

static bool wants_thinking(const struct km_chat *chat)
{
    if (km_chat_has(chat, KM_P_THINKING))
        return chat->thinking != KM_THINKING_OFF;
    return km_chat_has(chat, KM_P_EFFORT) && chat->effort != KM_EFFORT_NONE;
}

static bool forbids_thinking(const struct km_chat *chat)
{
    if (km_chat_has(chat, KM_P_THINKING))
        return chat->thinking == KM_THINKING_OFF;
    return km_chat_has(chat, KM_P_EFFORT) && chat->effort == KM_EFFORT_NONE;
}

/* The nearest effort that generation knows: xhigh came with 4.7, max with 4.6. */
static const char *effort_of(const struct km_encode_args *args, const struct km_chat *chat)
{
    enum km_effort e = chat->effort;

    if (!can(args, KM_CAN_EFFORT))
        return NULL;
    if (!km_chat_has(chat, KM_P_EFFORT)) {
        if (!km_chat_has(chat, KM_P_THINKING) || chat->thinking != KM_THINKING_BUDGET)
            return NULL;
        e = km_budget_effort(chat->thinking_budget);
    }
    if (e == KM_EFFORT_NONE)
        return NULL;
    if (e == KM_EFFORT_MINIMAL)
        e = KM_EFFORT_LOW;
    if ((e == KM_EFFORT_XHIGH && args->can->generation < 47) ||
        (e == KM_EFFORT_MAX && args->can->generation < 46))
        e = KM_EFFORT_HIGH;
    return km_effort_name(e);
}

static int plan_thinking(const struct km_encode_args *args, const struct km_chat *chat,
                         struct km_messages_plan *plan, struct km_err *err)
{
    bool by_budget = km_chat_has(chat, KM_P_THINKING) && chat->thinking == KM_THINKING_BUDGET;

    if (forbids_thinking(chat) && can(args, KM_CAN_THINK_OFF))
        plan->think = KM_MESSAGES_THINK_OFF;
    if (!wants_thinking(chat))
        return 0;
    if (can(args, KM_CAN_THINK_ADAPTIVE) && !(by_budget && can(args, KM_CAN_THINK_BUDGET))) {
        plan->think = KM_MESSAGES_THINK_ADAPTIVE;
    } else if (can(args, KM_CAN_THINK_BUDGET)) {
        plan->budget = by_budget ? chat->thinking_budget : km_effort_budget(chat->effort);
        if (!by_budget && !km_chat_has(chat, KM_P_EFFORT))
            plan->budget = km_effort_budget(KM_EFFORT_MEDIUM); /* adaptive, of one who cannot */
        if (plan->budget < KM_THINKING_LEAST)
            plan->budget = KM_THINKING_LEAST;
        if (!calls_without_thought(chat))
            plan->think = KM_MESSAGES_THINK_BUDGET;
    } else {
        return refuse(args, km_chat_has(chat, KM_P_THINKING) ? KM_P_THINKING : KM_P_EFFORT, err);
    }
    return 0;
}

/* --- the tool's choice --- */

static int plan_choice(const struct km_encode_args *args, const struct km_chat *chat,
                       struct km_messages_plan *plan, struct km_err *err)
{
    bool forced;

    plan->json_tool = km_messages_needs_json_tool(chat, args->can);
    plan->choice = chat->tool_choice;
    plan->choice_said = km_chat_has(chat, KM_P_TOOL_CHOICE) && chat->tools;
    if (plan->json_tool && (!plan->choice_said || plan->choice == KM_CHOICE_AUTO)) {
        plan->choice_said = true;
        plan->choice = chat->tools ? KM_CHOICE_REQUIRED : KM_CHOICE_NAMED;
    }
    forced = plan->choice_said &&
             (plan->choice == KM_CHOICE_REQUIRED || plan->choice == KM_CHOICE_NAMED);
    if (forced && !can(args, KM_CAN_FORCE_TOOL)) {
        plan->choice = KM_CHOICE_AUTO;
        return refuse(args, KM_P_TOOL_CHOICE, err);
    }
    if (forced && !can(args, KM_CAN_FORCE_TOOL_THINKING) &&
        plan->think > KM_MESSAGES_THINK_OFF) /* the promise wins over the advice */
        plan->think =
            can(args, KM_CAN_THINK_OFF) ? KM_MESSAGES_THINK_OFF : KM_MESSAGES_THINK_UNSAID;
    return 0;
}

/* --- bounds --- */

static void plan_bounds(const struct km_encode_args *args, const struct km_chat *chat,
                        struct km_messages_plan *plan)
{
    int64_t most = args->d->price.max_output_tokens > 0 ? args->d->price.max_output_tokens
                                                        : args->can->max_output;

    plan->max_tokens = args->max_tokens >= 0   ? args->max_tokens
                       : chat->max_tokens >= 0 ? chat->max_tokens
                       : most > 0              ? most
                                               : DEFAULT_MAX_TOKENS;
    if (plan->think != KM_MESSAGES_THINK_BUDGET || plan->max_tokens > plan->budget)
        return;
    if (args->max_tokens < 0 && (most <= 0 || plan->max_tokens + plan->budget <= most)) {
        plan->max_tokens += plan->budget; /* what was asked for is what is left to say */
        if (args->ret_bound && chat->max_tokens >= 0)
            *args->ret_bound = plan->max_tokens;
    } else if (plan->max_tokens > KM_THINKING_LEAST) {
        plan->budget = plan->max_tokens - 1;
        if (plan->budget > KM_THINKING_LEAST && plan->budget > plan->max_tokens / 2)
            plan->budget =
                plan->max_tokens / 2 > KM_THINKING_LEAST ? plan->max_tokens / 2 : KM_THINKING_LEAST;
    } else {
        plan->think = KM_MESSAGES_THINK_UNSAID;
    }
}

int km_messages_plan(const struct km_encode_args *args, const struct km_chat *chat,
                     struct km_messages_plan *ret, struct km_err *err)
{
    int r;

    *ret = (struct km_messages_plan){ .effort = effort_of(args, chat) };
    r = plan_thinking(args, chat, ret, err);
    if (r == 0)
        r = plan_choice(args, chat, ret, err);
    if (r < 0)
        return r;
    plan_bounds(args, chat, ret);
    ret->samples = can(args, KM_CAN_SAMPLE) && ret->think != KM_MESSAGES_THINK_BUDGET &&
                   ret->think != KM_MESSAGES_THINK_ADAPTIVE;
    /* Without adaptive thinking, effort is what the budget is made of. */
    if (!can(args, KM_CAN_THINK_ADAPTIVE) && ret->think == KM_MESSAGES_THINK_BUDGET)
        ret->effort = NULL;
    return 0;
}

/* --- writing --- */

/* The newest version knows no sampling at all; a deployment says it by an extra header. */
static bool newer_version(const struct km_deployment *d)
{
    static const struct km_str line = { "anthropic-version: 2026-", 24 };

    return km_str_find(d->head, line) < d->head.n;
}

static void write_number(struct km_json_out *out, const char *name, struct km_str number, bool unit)
{
    int64_t nano;

    if (!number.n)
        return;
    if (unit && number.p[0] == '-')
        number = KM_STR("0");
    else if (unit && (km_str_decimal(number, 9, &nano) < 0 || nano > 1000000000))
        number = KM_STR("1");
    km_out_member_raw(out, name, number);
}

static void write_sampling(const struct km_messages_writer *w)
{
    const struct km_chat *chat = w->chat;
    bool both;

    if (!w->plan->samples || newer_version(w->args->d))
        return;
    both = !chat->temperature.n || can(w->args, KM_CAN_SAMPLE_BOTH);
    if (km_chat_has(chat, KM_P_TEMPERATURE))
        write_number(w->out, "temperature", chat->temperature, true);
    if (km_chat_has(chat, KM_P_TOP_P) && (both || !km_chat_has(chat, KM_P_TEMPERATURE)))
        write_number(w->out, "top_p", chat->top_p, true);
    if (km_chat_has(chat, KM_P_TOP_K))
        write_number(w->out, "top_k", chat->top_k, false);
}

static void write_thinking(const struct km_messages_writer *w)
{
    static const char *const types[] = { NULL, "disabled", "enabled", "adaptive" };
    struct km_str display = w->chat->thinking_display;
    const char *type = types[w->plan->think];

    if (!type)
        return;
    km_out_key(w->out, "thinking");
    km_out_open(w->out, '{');
    km_out_member(w->out, "type", km_str_c(type));
    if (w->plan->think == KM_MESSAGES_THINK_BUDGET)
        km_out_member_i64(w->out, "budget_tokens", w->plan->budget);
    if (w->plan->think > KM_MESSAGES_THINK_OFF && display.n)
        km_out_member(w->out, "display", display);
    km_out_close(w->out, '}');
}

static int write_output_config(const struct km_messages_writer *w, struct km_err *err)
{
    const struct km_chat *chat = w->chat;
    bool format = chat->format == KM_FORMAT_SCHEMA && !w->plan->json_tool;
    const struct km_json *schema = NULL;

    if (!format && !w->plan->effort)
        return 0;
    if (format && km_json_parse(w->args->arena, chat->schema_json, &schema, err) < 0)
        return km_fail_param(err, KM_E_INVALID, "response_format",
                             "'response_format' holds a schema that is no JSON.");
    km_out_key(w->out, "output_config");
    km_out_open(w->out, '{');
    if (w->plan->effort)
        km_out_member(w->out, "effort", km_str_c(w->plan->effort));
    if (format) {
        km_out_key(w->out, "format");
        km_out_open(w->out, '{');
        km_out_member(w->out, "type", KM_STR("json_schema"));
        km_out_key(w->out, "schema");
        km_messages_write_schema(w->out, schema);
        km_out_close(w->out, '}');
        if (chat->schema_description.n)
            km_dropped_note(chat->dropped, KM_STR("response_format.description"));
    }
    km_out_close(w->out, '}');
    return 0;
}

static bool only_space(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
            return false;
    return true;
}

static void write_stop(const struct km_messages_writer *w)
{
    bool open = false;

    if (!km_chat_has(w->chat, KM_P_STOP))
        return;
    for (size_t i = 0; i < w->chat->nstop; i++) {
        if (only_space(w->chat->stop[i]))
            continue;
        if (!open) {
            km_out_key(w->out, "stop_sequences");
            km_out_open(w->out, '[');
            open = true;
        }
        km_out_str(w->out, w->chat->stop[i]);
    }
    if (open)
        km_out_close(w->out, ']');
}

/* Anthropic refuses what names a person: an e-mail address, a telephone number. */
static bool names_nobody(struct km_str user)
{
    size_t digits = 0, other = 0;

    for (size_t i = 0; i < user.n; i++) {
        char c = user.p[i];

        if (c == '@')
            return false;
        if (c >= '0' && c <= '9')
            digits++;
        else if (c != '+' && c != '-' && c != '(' && c != ')' && c != ' ' && c != '.')
            other++;
    }
    return user.n > 0 && (other > 0 || digits < 7 || digits == user.n);
}

static int write_tier(const struct km_messages_writer *w, struct km_err *err)
{
    struct km_str tier = w->chat->service_tier;

    if (!km_chat_has(w->chat, KM_P_SERVICE_TIER) || !tier.n)
        return 0;
    if (km_str_eq(tier, KM_STR("auto")) || km_str_eq(tier, KM_STR("priority")))
        km_out_member(w->out, "service_tier", KM_STR("auto"));
    else if (km_str_eq(tier, KM_STR("default")) || km_str_eq(tier, KM_STR("standard_only")))
        km_out_member(w->out, "service_tier", KM_STR("standard_only"));
    else
        return refuse(w->args, KM_P_SERVICE_TIER, err);
    return 0;
}

/* Betas are a header line at Anthropic's own API and a member elsewhere; there advice that needs
 * one (Claude Code's context_management) is refused without it. */
static bool takes_extra(const struct km_messages_options *options, const struct km_chat_extra *x)
{
    bool betas = km_str_eq(x->name, KM_STR("anthropic_beta"));

    return options->version ? betas || x->kind != KM_EXTRA_ADVICE : !betas;
}

static int write_rest(const struct km_messages_writer *w, struct km_err *err)
{
    const struct km_chat *chat = w->chat;

    write_stop(w);
    write_sampling(w);
    write_thinking(w);
    if (km_chat_has(chat, KM_P_USER) && names_nobody(chat->user)) {
        km_out_key(w->out, "metadata");
        km_out_open(w->out, '{');
        km_out_member(w->out, "user_id", chat->user);
        km_out_close(w->out, '}');
    }
    km_messages_write_cache(w->out, chat->cache_ttl_s);
    for (const struct km_chat_extra *x = chat->extras; x; x = x->next) {
        if (!takes_extra(w->options, x))
            continue;
        km_out_key_str(w->out, x->name);
        km_out_raw(w->out, x->json);
    }
    return write_tier(w, err);
}

int km_messages_encode(const struct km_messages_options *options, const struct km_encode_args *args,
                       const struct km_chat *chat, struct km_json_out *out, struct km_err *err)
{
    struct km_messages_plan plan;
    struct km_messages_writer w = { options, args, chat, &plan, out };
    int r = km_messages_plan(args, chat, &plan, err);

    if (r < 0)
        return r;
    if (args->state)
        km_messages_note(args->state, chat, plan.json_tool, args->keep);
    km_out_open(out, '{');
    if (options->version)
        km_out_member(out, "anthropic_version", km_str_c(options->version));
    if (options->model)
        km_out_member(out, "model", args->model);
    km_out_member_i64(out, "max_tokens", plan.max_tokens);
    r = km_messages_write_turns(&w, err);
    if (r == 0)
        r = km_messages_write_tools(&w, err);
    if (r == 0)
        r = write_output_config(&w, err);
    if (r == 0)
        r = write_rest(&w, err);
    if (options->stream && args->stream) {
        km_out_key(out, "stream");
        km_out_bool(out, true);
    }
    if (r == 0)
        km_out_close(out, '}');
    return r;
}
