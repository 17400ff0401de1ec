/* SPDX-License-Identifier: Apache-2.0 */
/* bedrock_invoke.c - Claude by Bedrock's InvokeModel: Anthropic's own bodies and events.
 *
 *     body      Messages' without model and stream, with anthropic_version
 *     answer    Messages' as it is
 *     stream    AWS frames, each {"bytes": base64 of one Messages event}
 *
 * For who needs what Converse does not carry; everything but the wrapping is anthropic.h's.  A
 * caller of Messages has its body passed on as it is, and the events out of their wrapping.
 */
#include "base/encode.h"
#include "llm/provider/bedrock.h"
#include "llm/provider/codecs.h"
#include "llm/provider/converse.h"

#define VERSION "bedrock-2023-05-31"

static struct km_str target(const struct km_target_args *args, struct km_arena *arena)
{
    return km_bedrock_path(args->model, args->stream ? "invoke-with-response-stream" : "invoke",
                           arena);
}

static int encode(const struct km_encode_args *args, const struct km_chat *chat,
                  struct km_json_out *out, struct km_err *err)
{
    static const struct km_messages_options options = { .version = VERSION };
    struct km_str betas = km_bedrock_betas(args, chat, true);
    struct km_chat copy = *chat;
    struct km_chat_extra beta = { .next = copy.extras, .name = KM_STR("anthropic_beta") };

    if (args->can->family != KM_FAMILY_CLAUDE)
        return km_fail_param(err, KM_E_UNSUPPORTED, "model",
                             "Model '%.*s' is none of Anthropic's: 'bedrock/invoke/' is for those. "
                             "Configure it as 'bedrock/%.*s'.",
                             KM_STR_ARG(args->model), KM_STR_ARG(args->model));
    beta.json = betas;
    for (const struct km_chat_extra *x = chat->extras; x; x = x->next)
        if (km_str_eq(x->name, beta.name))
            betas = KM_STR_NONE; /* it is there already */
    if (betas.n)
        copy.extras = &beta;
    return km_messages_encode(&options, args, &copy, out, err);
}

/* What Bedrock measured stands in the last event, which is Anthropic's else. */
static struct km_str without_metrics(struct km_str data, struct km_arena *scratch)
{
    static const struct km_str name = { "amazon-bedrock-invocationMetrics", 32 };
    struct km_json_object object;
    struct km_json_span span;
    struct km_json_edits e;
    struct km_str *parts;
    size_t n;

    if (km_str_find(data, name) == data.n ||
        km_json_spans(data, &name, 1, &span, &object, NULL) < 0 || span.type == KM_JSON_ABSENT)
        return data;
    km_json_edits_init(&e, data, &object);
    km_json_cut(&e, &span);
    return km_json_parts(&e, scratch, &parts, &n, NULL) == 0 ? km_arena_cat(scratch, parts, n)
                                                             : data;
}

/* {"bytes": base64 of one Messages event, "p": padding} */
static int unwrap(const struct km_frame_event *e, struct km_arena *scratch, struct km_str *ret_data,
                  struct km_err *err)
{
    struct km_str base64 = KM_STR_NONE;
    const struct km_json *root;
    struct km_buf bytes;

    if (e->exception.n)
        return km_bedrock_exception(e, scratch, err);
    if (km_json_parse_answer(scratch, e->data, &root, NULL) < 0 ||
        !km_json_string(km_json_get(root, "bytes"), &base64))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "The upstream broke InvokeModel's protocol: an event without bytes.");
    /* In the scratch arena, where it cannot grow: decoded it is shorter. */
    bytes = (struct km_buf){ .p = km_arena_alloc(scratch, base64.n + 4),
                             .cap = base64.n + 4,
                             .max = base64.n + 4 };
    if (!bytes.p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (km_buf_unbase64(&bytes, base64) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "The upstream broke InvokeModel's protocol: bytes that are not base64.");
    *ret_data = without_metrics(km_buf_view(&bytes), scratch);
    return 0;
}

static int event(struct km_decode *d, const struct km_frame_event *e, struct km_err *err)
{
    struct km_frame_event inner = { .type = KM_STR_NONE };
    int r = unwrap(e, d->scratch, &inner.data, err);

    return r < 0 ? r : km_messages_event(d, &inner, err);
}

static bool known_betas(struct km_str header, struct km_arena *arena, struct km_str *ret_json)
{
    bool all;

    *ret_json = km_bedrock_known_betas(header, true, arena, &all);
    return all;
}

const struct km_codec km_codec_bedrock_invoke = {
    .name = "Bedrock InvokeModel",
    .native = KM_WIRE_MESSAGES,
    .messages_version = VERSION,
    .path_streams = true,
    .unwrap = unwrap,
    .betas = known_betas,
    .framing = KM_FRAMING_AWS,
    .maps = KM_MESSAGES_MAPS,
    .drops = KM_MESSAGES_DROPS,
    .extras = km_messages_extras,
    .own = km_messages_own,
    .state_size = KM_MESSAGES_STATE,
    .target = target,
    .encode = encode,
    .idle = km_messages_idle,
    .carries = KM_MESSAGES_CARRIES,
    .decode = km_messages_decode,
    .event = event,
    .end = km_messages_end,
    .refusal = km_bedrock_refusal,
};
