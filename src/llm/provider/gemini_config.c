/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_config.c - how to answer, as Gemini's generationConfig.
 *
 *     {"temperature": ..., "maxOutputTokens": ..., "stopSequences": [...],
 *      "responseMimeType": ..., "responseJsonSchema": ..., "thinkingConfig": {...}}
 *
 * Models before Gemini 3 are told how many tokens to think for, later ones how hard; which of
 * them can think not at all, and which cannot stop to, is data (capability.c).
 */
#include "llm/provider/gemini_inside.h"

#define STOPS_MOST 5

static int unsupported(const struct km_gemini_writer *w, const char *param, const char *why)
{
    return km_fail_param(w->err, KM_E_UNSUPPORTED, param,
                         "'%s': %s (%.*s, %.*s). Leave it out, or set litellm_settings."
                         "drop_params: true to have it dropped.",
                         param, why, KM_STR_ARG(w->args->d->provider_name),
                         KM_STR_ARG(w->args->model));
}

static void open_thinking(const struct km_gemini_writer *w)
{
    km_out_key(w->out, "thinkingConfig");
    km_out_open(w->out, '{');
}

static void close_thinking(const struct km_gemini_writer *w, bool thoughts)
{
    if (km_str_eq(w->chat->thinking_display, KM_STR("omitted")))
        thoughts = false;
    km_out_key(w->out, "includeThoughts");
    km_out_bool(w->out, thoughts);
    km_out_close(w->out, '}');
}

/* Gemini 3: a level.  Not every model has all of them; the next one up stands in. */
static void put_level(const struct km_gemini_writer *w, enum km_effort e)
{
    unsigned can = w->args->can->can;
    const char *level = e <= KM_EFFORT_MINIMAL && (can & KM_CAN_LEVEL_MINIMAL) ? "MINIMAL"
                        : e <= KM_EFFORT_LOW                                   ? "LOW"
                        : e == KM_EFFORT_MEDIUM && (can & KM_CAN_LEVEL_MEDIUM) ? "MEDIUM"
                                                                               : "HIGH";

    open_thinking(w);
    km_out_member(w->out, "thinkingLevel", km_str_c(level));
    close_thinking(w, e != KM_EFFORT_NONE);
}

#define LEAST_BUDGET 128 /* of a model that cannot but think */

static void put_budget(const struct km_gemini_writer *w, int64_t tokens)
{
    bool off = tokens == 0;

    if (off && !(w->args->can->can & KM_CAN_THINK_OFF))
        tokens = LEAST_BUDGET;
    open_thinking(w);
    km_out_member_i64(w->out, "thinkingBudget", tokens);
    close_thinking(w, !off);
}

static int put_thinking(const struct km_gemini_writer *w)
{
    const struct km_chat *chat = w->chat;
    bool effort = km_chat_has(chat, KM_P_EFFORT), thinking = km_chat_has(chat, KM_P_THINKING);
    bool off = thinking ? chat->thinking == KM_THINKING_OFF : chat->effort == KM_EFFORT_NONE;
    int64_t budget = !thinking                                ? km_effort_budget(chat->effort)
                     : chat->thinking == KM_THINKING_OFF      ? 0
                     : chat->thinking == KM_THINKING_ADAPTIVE ? -1
                                                              : chat->thinking_budget;

    if (!effort && !thinking)
        return 0;
    if (w->args->can->can & KM_CAN_EFFORT) {
        if (effort && (!thinking || chat->thinking == KM_THINKING_ADAPTIVE))
            put_level(w, chat->effort);
        else if (chat->thinking == KM_THINKING_ADAPTIVE) {
            open_thinking(w);
            close_thinking(w, true);
        } else {
            put_level(w, km_budget_effort(budget));
        }
        return 0;
    }
    if (w->args->can->can & KM_CAN_THINK_BUDGET) {
        if (thinking && chat->thinking == KM_THINKING_ADAPTIVE && effort)
            budget = km_effort_budget(chat->effort);
        put_budget(w, budget);
        return 0;
    }
    if (off || w->args->d->drop_params)
        return 0;
    return unsupported(w, thinking ? "thinking" : "reasoning_effort", "this model does not think");
}

static void put_format(const struct km_gemini_writer *w)
{
    if (!km_chat_has(w->chat, KM_P_FORMAT) || w->chat->format == KM_FORMAT_TEXT)
        return;
    km_out_member(w->out, "responseMimeType", KM_STR("application/json"));
    if (w->chat->format == KM_FORMAT_SCHEMA && w->chat->schema_json.n)
        km_out_member_raw(w->out, "responseJsonSchema", w->chat->schema_json);
}

static int put_stops(const struct km_gemini_writer *w)
{
    if (!w->chat->nstop)
        return 0;
    if (w->chat->nstop > STOPS_MOST)
        return km_fail_param(w->err, KM_E_INVALID, "stop",
                             "'stop': Gemini takes at most %d sequences.", STOPS_MOST);
    km_out_key(w->out, "stopSequences");
    km_out_open(w->out, '[');
    for (size_t i = 0; i < w->chat->nstop; i++)
        km_out_str(w->out, w->chat->stop[i]);
    km_out_close(w->out, ']');
    return 0;
}

static void put_number(const struct km_gemini_writer *w, const char *name, struct km_str text)
{
    if (text.n)
        km_out_member_raw(w->out, name, text);
}

int km_gemini_put_config(const struct km_gemini_writer *w)
{
    const struct km_chat *c = w->chat;
    int64_t most = c->max_tokens;
    int r;

    if (w->args->max_tokens >= 0 && (most < 0 || w->args->max_tokens < most))
        most = w->args->max_tokens;
    km_out_key(w->out, "generationConfig");
    km_out_open(w->out, '{');
    if (most >= 0)
        km_out_member_i64(w->out, "maxOutputTokens", most);
    r = put_stops(w);
    put_number(w, "temperature", c->temperature);
    put_number(w, "topP", c->top_p);
    put_number(w, "topK", c->top_k);
    put_number(w, "seed", c->seed);
    put_number(w, "frequencyPenalty", c->frequency_penalty);
    put_number(w, "presencePenalty", c->presence_penalty);
    if (c->n > 1)
        km_out_member_i64(w->out, "candidateCount", c->n);
    if (c->logprobs) {
        km_out_key(w->out, "responseLogprobs");
        km_out_bool(w->out, true);
        put_number(w, "logprobs", c->top_logprobs);
    }
    put_format(w);
    if (r == 0)
        r = put_thinking(w);
    km_out_close(w->out, '}');
    return r;
}
