/* SPDX-License-Identifier: Apache-2.0 */
/* openai_text.c - the older completions, where the upstream has chats only.
 *
 * A prompt becomes one user's message and the answer's text the completion.  Several prompts, or
 * prompts in tokens, would need as many calls, or the model's own vocabulary: they are refused.
 * Reasoning has no place in the answer and is left out; so is the order to echo the prompt unless
 * it is asked for, which is refused.
 */
#include "http/json_take.h"
#include "llm/api/citations.h"
#include "llm/api/openai.h"
#include "llm/dropped.h"
#include "llm/api/read.h"

static bool says_nothing(const struct km_json *v, bool number)
{
    bool b = false;
    int64_t n = 0;
    struct km_str s;

    if (number)
        return km_json_i64(v, &n) && n == 1;
    return (km_json_bool(v, &b) && !b) || (km_json_string(v, &s) && !s.n);
}

/* echo: false, best_of: 1, suffix: "" ask for nothing. */
static void drop_defaults(struct km_chat *chat, const struct km_json *root)
{
    struct km_chat_extra **at = &chat->extras;

    while (*at) {
        const char *name = km_str_eq((*at)->name, KM_STR("echo"))      ? "echo"
                           : km_str_eq((*at)->name, KM_STR("suffix"))  ? "suffix"
                           : km_str_eq((*at)->name, KM_STR("best_of")) ? "best_of"
                                                                       : NULL;

        if (name && says_nothing(km_json_take(root, name), name[0] == 'b'))
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}

int km_openai_decode_prompt(const struct km_llm_request *req, const struct km_json *root,
                            struct km_arena *arena, struct km_chat *ret_chat, struct km_err *err)
{
    const struct km_reading rd = { arena, err };
    const struct km_json *prompt = km_json_take(root, "prompt"), *v = prompt;
    const struct km_place *at = KM_AT(NULL, "prompt");
    struct km_str text, key;
    struct km_message *m;
    struct km_part *part;
    struct km_json_iter it;
    int r;

    (void)req;
    km_chat_init(ret_chat);
    if (km_json_kind(prompt) == KM_JSON_ARRAY && km_json_count(prompt) == 1) {
        km_json_iter(prompt, &it);
        if (!km_json_next(&it, &key, &v))
            return km_read_bad(&rd, at, "is empty");
    }
    if (!km_json_string(v, &text))
        return km_read_refuse(&rd, at, "must be one text: this model's provider takes chats only");
    r = km_openai_params(ret_chat, arena, root, err);
    if (r < 0)
        return r;
    drop_defaults(ret_chat, root);
    m = km_chat_message(ret_chat, arena, KM_ROLE_USER);
    part = m ? km_chat_part(arena, &m->parts, KM_PART_TEXT) : NULL;
    if (!part || km_arena_overflowed(arena))
        return km_read_nomem(&rd);
    part->text = text;
    return 0;
}

static void front(struct km_answer *a)
{
    km_buf_printf(a->out, "data: {\"id\":\"cmpl-%.*s\",\"object\":\"text_completion\",",
                  KM_STR_ARG(a->id));
    km_buf_printf(a->out, "\"created\":%lld,\"model\":", (long long)a->created_s);
    km_buf_json(a->out, a->model);
    km_buf_str(a->out, KM_STR(",\"choices\":["));
}

static int event(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    bool finish = e->kind == KM_CHAT_FINISH;

    (void)err;
    if (e->kind == KM_CHAT_CITATION)
        km_cite_lost(a);
    else if (e->kind == KM_CHAT_LOGPROBS)
        km_dropped_note(a->dropped, KM_STR("logprobs"));
    if (!finish && (e->kind != KM_CHAT_TEXT || !e->text.n))
        return 0;
    front(a);
    km_buf_str(a->out, KM_STR("{\"text\":"));
    km_buf_json(a->out, finish ? KM_STR("") : e->text);
    km_buf_str(a->out, KM_STR(",\"index\":"));
    km_buf_u64(a->out, e->choice);
    km_buf_str(a->out, KM_STR(",\"logprobs\":null,\"finish_reason\":"));
    if (finish)
        km_buf_json(a->out, km_str_c(km_openai_finish(a, e->finish)));
    else
        km_buf_str(a->out, KM_STR("null"));
    km_buf_str(a->out, a->usage_asked ? KM_STR("}],\"usage\":null}\n\n") : KM_STR("}]}\n\n"));
    return 0;
}

static void end(struct km_answer *a)
{
    if (a->usage_asked) {
        struct km_usage usage = km_answer_usage(a);
        struct km_json_out o;

        front(a);
        km_buf_str(a->out, KM_STR("],\"usage\":"));
        km_json_out_init(&o, a->out);
        km_openai_usage(&o, &usage);
        km_buf_str(a->out, KM_STR("}\n\n"));
    }
    km_buf_str(a->out, KM_STR("data: [DONE]\n\n"));
}

static int whole(struct km_answer *a, struct km_err *err)
{
    struct km_json_out o;

    km_json_out_init(&o, a->out);
    km_openai_head(a, &o, "cmpl-", "text_completion");
    for (size_t i = 0; i < a->nchoices; i++) {
        const struct km_choice *c = &a->choices[i];

        km_out_open(&o, '{');
        km_out_member(&o, "text", km_parts_text(c->parts, KM_PART_TEXT, a->arena));
        km_out_member_i64(&o, "index", (int64_t)i);
        km_out_member_raw(&o, "logprobs", KM_STR_NONE);
        km_out_member(&o, "finish_reason", km_str_c(km_openai_finish(a, c->finish)));
        for (const struct km_part *part = c->parts; part; part = part->next)
            if (part->citations)
                km_cite_lost(a);
        km_out_close(&o, '}');
    }
    return km_openai_tail(a, &o, err);
}

const struct km_encoder km_encoder_completion = { .event = event, .end = end, .whole = whole };
