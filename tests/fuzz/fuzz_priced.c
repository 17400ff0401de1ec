/* SPDX-License-Identifier: Apache-2.0 */
/* What of a request changes its price.
 *
 * The first byte chooses the API.  What is taken says of itself nothing that cannot be: no negative
 * use, no tool without a name, no unpriced member without a remedy; and it is the same when the
 * member that tells it is looked for by the table alone.
 */
#include "fuzz.h"

#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/priced.h"
#include "llm/api/responses.h"

static const struct {
    const struct km_llm_api *api;
    unsigned bit;
} apis[] = {
    { &km_api_chat, KM_PRICED_OPENAI },
    { &km_api_responses, KM_PRICED_RESPONSES },
    { &km_api_messages, KM_PRICED_MESSAGES },
    { &km_api_gemini, KM_PRICED_GEMINI },
};

static void look(const struct km_llm_priced *p)
{
    for (size_t i = 0; i < KM_HOSTED_KINDS; i++)
        must(p->hosted[i] >= 0);
    must(p->hosts == (p->tools != 0));
    must(!p->hosts || p->opens_input);
    must(p->tools >> KM_HOSTED_TOOL_COUNT == 0);
    must(!p->unpriced.n || p->remedy);
}

/* The walk that judges the body saw every name that the table has. */
static void compare(const struct km_llm_request *r, unsigned bit, struct km_arena *arena)
{
    struct km_llm_priced p = { 0 };

    must(km_llm_priced_object(r->body, bit, arena, &p, NULL) == 0);
    look(&p);
    must(p.service == r->priced.service && p.fast == r->priced.fast && p.in_us == r->priced.in_us);
    must(p.tools == r->priced.tools && p.unpriced.n == r->priced.unpriced.n);
    must(p.background == r->priced.background && (!p.opens_input || r->priced.opens_input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t which = size ? data[0] % (sizeof apis / sizeof apis[0]) : 0;
    char *copy = malloc(size ? size : 1);
    struct km_str body = { copy, size ? size - 1 : 0 };
    struct km_llm_request r;
    struct km_arena arena;

    if (body.n)
        memcpy(copy, data + 1, body.n);
    km_arena_init(&arena, (size_t)64 << 20, NULL);
    if (km_llm_request_parse(&r, apis[which].api, &arena, body,
                             which == 3 ? KM_STR("m") : KM_STR_NONE, NULL) == 0) {
        look(&r.priced);
        compare(&r, apis[which].bit, &arena);
    }
    km_arena_done(&arena);
    free(copy);
    return 0;
}
