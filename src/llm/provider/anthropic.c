/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic.c - Anthropic's API: its row, its addresses and header lines, its refusals.
 *
 *     anthropic.c         who it is, and what its errors mean
 *     anthropic_encode.c  a chat as a body: what depends on the model
 *     anthropic_turns.c   ... its conversation
 *     anthropic_tools.c   ... its tools and schemas
 *     anthropic_answer.c  answers as events
 *
 * Callers of Messages are passed on by spans; then only the address and the header lines are
 * made here.  The version is the deployment's where extra_headers say one, else the caller's
 * where it speaks Messages, else the one that still knows sampling.
 */
#include "llm/provider/anthropic.h"

#include "llm/api.h"
#include "llm/model_build.h"
#include "llm/provider/codecs.h"
#include "llm/provider/rows.h"

static struct km_str target(const struct km_target_args *args, struct km_arena *arena)
{
    const char *path =
        args->wire == KM_WIRE_COUNT_MESSAGES ? "/messages/count_tokens" : "/messages";

    (void)arena;
    return km_str_c(path);
}

static bool has_line(struct km_str head, const char *name)
{
    struct km_str rest = head, line;

    while (km_str_split(&rest, '\n', &line))
        if (km_str_istarts(line, km_str_c(name)))
            return true;
    return false;
}

static int head_lines(const struct km_encode_args *args, const struct km_chat *chat,
                      struct km_buf *head, struct km_err *err)
{
    struct km_str version = KM_STR(KM_ANTHROPIC_VERSION), beta = KM_STR_NONE, said;
    int r = 0;

    if (args->caller) {
        beta = km_header_get(args->caller, KM_STR("anthropic-beta"));
        said = km_header_get(args->caller, KM_STR("anthropic-version"));
        if (!chat && said.n)
            version = said;
    }
    if (!has_line(args->d->head, "anthropic-version:"))
        r = km_header_put(head, KM_STR("anthropic-version"), version, err);
    if (r == 0 && beta.n && !has_line(args->d->head, "anthropic-beta:"))
        r = km_header_put(head, KM_STR("anthropic-beta"), beta, err);
    return r;
}

static int encode(const struct km_encode_args *args, const struct km_chat *chat,
                  struct km_json_out *out, struct km_err *err)
{
    static const struct km_messages_options options = { .model = true,
                                                        .stream = true,
                                                        .remote_media = true };

    return km_messages_encode(&options, args, chat, out, err);
}

/* --- refusals --- */

/* Spending limits do not pass with time. */
static bool is_spent(struct km_str code)
{
    return km_str_eq(code, KM_STR("enforced_spend_limit_reached")) ||
           km_str_eq(code, KM_STR("contract_spend_limit_reached")) ||
           km_str_eq(code, KM_STR("linked_organization_spend_limit_reached"));
}

static void refuse_400(struct km_refusal *ret)
{
    if (km_refusal_is_context(ret->text, &ret->tokens))
        ret->kind = KM_REFUSED_CONTEXT;
    else if (km_str_find(ret->text, KM_STR("credit balance is too low")) < ret->text.n)
        ret->again = KM_AGAIN_OTHER; /* another account may pay */
}

void km_messages_refusal(struct km_arena *arena, int status, const struct km_headers *headers,
                         struct km_str body, struct km_refusal *ret)
{
    const struct km_json *root;
    struct km_str code = KM_STR_NONE;

    km_refusal_openai(arena, status, headers, body, ret);
    if (km_json_parse_answer(arena, body, &root, NULL) == 0)
        (void)km_json_string(
            km_json_get(km_json_get(km_json_get(root, "error"), "details"), "error_code"), &code);
    if (status == 401 || status == 402 || status == 403) {
        km_refusal_auth(ret); /* its account does not pay, for one */
        return;
    }
    ret->kind = KM_REFUSED_PLAIN;
    if (status == 400) {
        refuse_400(ret);
    } else if (status == 429) {
        ret->kind = is_spent(code) ? KM_REFUSED_QUOTA : KM_REFUSED_RATE;
        ret->again = is_spent(code) ? KM_AGAIN_OTHER : KM_AGAIN_SAME;
    } else if (status == 529) {
        ret->kind = KM_REFUSED_OVERLOADED;
    }
}

/* --- rows --- */

const struct km_codec km_codec_messages = {
    .name = "Anthropic Messages",
    .native = KM_WIRE_MESSAGES | KM_WIRE_COUNT_MESSAGES,
    .framing = KM_FRAMING_SSE,
    .maps = KM_MESSAGES_MAPS,
    .drops = KM_MESSAGES_DROPS,
    .extras = km_messages_extras,
    .own = km_messages_own,
    .remote_images = true,
    .account_files = true,
    .state_size = KM_MESSAGES_STATE,
    .target = target,
    .head = head_lines,
    .encode = encode,
    .idle = km_messages_idle,
    .carries = KM_MESSAGES_CARRIES,
    .decode = km_messages_decode,
    .event = km_messages_event,
    .end = km_messages_end,
    .refusal = km_messages_refusal,
};

/* LiteLLM takes the whole address too; and a token of OAuth is no key. */
static int build(struct km_deployment *d, const struct km_model_build *b,
                 const struct km_model_entry *entry, struct km_err *err)
{
    static const struct km_str whole = { "/messages/v1", 12 };
    struct km_str key = km_deployment_key(d, b, entry);

    (void)err;
    if (km_str_ends(d->base_path, whole))
        d->base_path = km_str_sub(d->base_path, 0, d->base_path.n - whole.n);
    if (km_str_starts(key, KM_STR("sk-ant-oat")))
        km_deployment_head(d, b, entry, NULL, key);
    return 0;
}

const struct km_provider km_provider_anthropic = {
    .name = "anthropic",
    .base = "https://api.anthropic.com",
    .rule = KM_BASE_ADD_V1,
    .key_env = { "ANTHROPIC_API_KEY" },
    .base_env = "ANTHROPIC_API_BASE",
    .key_needed = true,
    .key_field = "x-api-key",
    .usage = KM_USAGE_ALWAYS,
    .max_tokens = "max_tokens",
    .codec = &km_codec_messages,
    .build = build,
};
