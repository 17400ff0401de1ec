/* SPDX-License-Identifier: Apache-2.0 */
/* notes.h - an encoder that writes a chat's events as a line of text each; pieces of one block are
 * put together. */
#ifndef KM_TEST_LLM_NOTES_H
#define KM_TEST_LLM_NOTES_H

#include "llm/answer.h"

struct codec_notes {
    enum km_chat_event_kind last;
    unsigned block;
};

static inline int codec_note(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    static const char *const names[] = {
        [KM_CHAT_START] = "start",         [KM_CHAT_TEXT] = "text",
        [KM_CHAT_REASONING] = "reasoning", [KM_CHAT_SIGNATURE] = "signature",
        [KM_CHAT_REDACTED] = "redacted",   [KM_CHAT_REFUSAL] = "refusal",
        [KM_CHAT_TOOL] = "tool",           [KM_CHAT_TOOL_INPUT] = "input",
        [KM_CHAT_LOGPROBS] = "logprobs",   [KM_CHAT_FINISH] = "finish",
        [KM_CHAT_USAGE] = "usage",         [KM_CHAT_CITATION] = "citation",
    };
    struct codec_notes *n = a->state;
    bool more = n->last == e->kind && n->block == e->block && e->kind != KM_CHAT_START &&
                e->kind != KM_CHAT_USAGE;

    (void)err;
    n->last = e->kind;
    n->block = e->block;
    if (!more)
        km_buf_printf(a->out, "%s%s %u", a->out->n ? "\n" : "", names[e->kind], e->block);
    if (e->kind == KM_CHAT_START || e->kind == KM_CHAT_TOOL)
        km_buf_printf(a->out, " %.*s/%.*s", KM_STR_ARG(e->id), KM_STR_ARG(e->name));
    if (e->kind == KM_CHAT_FINISH)
        km_buf_printf(a->out, " %d", e->finish);
    if (e->kind == KM_CHAT_USAGE)
        km_buf_printf(a->out, " %d %d %d %d", (int)e->usage.prompt_tokens,
                      (int)e->usage.completion_tokens, (int)e->usage.cached_tokens,
                      (int)e->usage.cache_write_tokens);
    if (e->kind == KM_CHAT_CITATION)
        km_buf_printf(a->out, " %.*s", KM_STR_ARG(e->citation->title));
    if (e->text.n)
        km_buf_printf(a->out, "%s%.*s", more ? "" : " ", KM_STR_ARG(e->text));
    return 0;
}

static const struct km_encoder codec_notes_encoder = { .event = codec_note };

#endif
