/* SPDX-License-Identifier: Apache-2.0 */
/* messages_count.c - count_tokens where the upstream offers none: an estimate.
 *
 * The request is read as if it were to be answered, and its texts are counted by the rule that
 * estimates missing usage (a token four characters of ASCII, one a character elsewhere).  An
 * image counts as one of Anthropic's largest, a document by its bytes.  A client that counts in
 * order to fit a window gets a number that is near, and rather too high than too low.  What cannot
 * be read so (blocks of tools that Anthropic runs itself) is counted as the text that it is.
 */
#include "llm/api/messages.h"

#define SCRATCH_MOST ((size_t)256 * 1024 * 1024)
#define IMAGE_TOKENS 1600
#define DOCUMENT_BYTES_A_TOKEN 16 /* of its base64: a page of a PDF is about 2000 tokens */
#define MESSAGE_TOKENS 4 /* around each message, and around each tool */

static int64_t count_parts(const struct km_part *p)
{
    int64_t n = 0;

    for (; p; p = p->next) {
        n += km_tokens_estimate(p->text) + km_tokens_estimate(p->input_json) +
             km_tokens_estimate(p->signature);
        if (p->kind == KM_PART_TOOL_USE)
            n += km_tokens_estimate(p->name);
        if (p->kind == KM_PART_IMAGE)
            n += IMAGE_TOKENS;
        if (p->kind == KM_PART_DOCUMENT)
            n += (int64_t)(p->media.data.n / DOCUMENT_BYTES_A_TOKEN) + MESSAGE_TOKENS;
        for (const struct km_part *c = p->content; c; c = c->next)
            n += c->kind == KM_PART_IMAGE ? IMAGE_TOKENS
                                          : km_tokens_estimate(c->text) +
                                                (int64_t)(c->media.data.n / DOCUMENT_BYTES_A_TOKEN);
    }
    return n;
}

int64_t km_messages_count_chat(const struct km_chat *chat)
{
    int64_t n = 0;

    for (const struct km_message *m = chat->messages; m; m = m->next)
        n += MESSAGE_TOKENS + count_parts(m->parts);
    for (const struct km_tool *t = chat->tools; t; t = t->next)
        n += MESSAGE_TOKENS + km_tokens_estimate(t->name) + km_tokens_estimate(t->description) +
             km_tokens_estimate(t->schema_json) + km_tokens_estimate(t->hosted_json);
    return n;
}

void km_messages_count(const struct km_llm_request *r, int64_t tokens, struct km_buf *out)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;
    struct km_chat chat;

    km_arena_init(&scratch, SCRATCH_MOST, NULL);
    if (km_llm_parse_body(&scratch, r->body, &root, NULL) == 0 &&
        km_messages_read(r, root, &scratch, &chat, NULL) == 0)
        tokens = km_messages_count_chat(&chat);
    km_buf_str(out, KM_STR("{\"input_tokens\":"));
    km_buf_i64(out, tokens);
    km_buf_byte(out, '}');
}
