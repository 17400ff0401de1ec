/* SPDX-License-Identifier: Apache-2.0 */
/* google.c - see google.h.
 *
 * Google writes the action behind the model, in one segment: what stands behind the last colon
 * says which endpoint is meant, and alt=sse which form its stream has.  The colon goes before the
 * call begins, which then finds the model's name in the path like any other.
 */
#include "gateway/llm/kind.h"
#include "gateway/llm/google.h"
#include "gateway/llm/info.h"

#include "call/call.h"
#include "door/http_port.h"
#include "door/reply.h"
#include "llm/api/gemini.h"

bool km_google_asks(const struct km_visit *v)
{
    return km_header_get(&km_exchange_request(v->x)->headers, KM_STR("x-goog-api-key")).n > 0;
}

void km_google_call(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    const struct km_request *req = km_exchange_request(x);
    struct km_visit *v = visit;
    struct km_str alt = KM_STR_NONE, model;
    const struct km_llm_api *api;
    struct km_err err;
    bool sse = km_query_get(km_exchange_arena(x), req->query, KM_STR("alt"), &alt) &&
               km_str_eq(alt, KM_STR("sse"));

    api = km_gemini_action(match->params[0], sse, &model);
    if (!api || !model.n) {
        km_fail(&err, KM_E_NOT_FOUND,
                "There is no route %.*s here. Models take :generateContent, "
                ":streamGenerateContent, :countTokens, :embedContent and :batchEmbedContents.",
                KM_STR_ARG(km_str_sub(req->path, 0, 200)));
        km_reply_error(v, &err);
        return;
    }
    v->path_model = model;
    km_call_begin(v, km_http_port(v), &km_kind_llm, api);
}

static void model_object(struct km_buf *out, struct km_str name)
{
    km_buf_str(out, KM_STR("{\"name\":"));
    km_buf_json(out, name);
    km_buf_str(out, KM_STR(",\"displayName\":"));
    km_buf_json(out, name);
    km_buf_str(out, KM_STR(",\"supportedGenerationMethods\":[\"generateContent\","
                           "\"countTokens\"]}"));
}

/* "models/gpt-4o": Google's names have their collection in front. */
static struct km_str full_name(struct km_exchange *x, struct km_str name)
{
    return km_arena_cat(km_exchange_arena(x), (struct km_str[]){ KM_STR("models/"), name }, 2);
}

void km_google_models(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024 * 1024);
    const struct km_str *names;
    size_t n = km_models_names(v->view->snap->models, &names), shown = 0;

    (void)match;
    km_buf_str(&out, KM_STR("{\"models\":["));
    for (size_t i = 0; i < n; i++) {
        if (!km_info_may_use(v, names[i]))
            continue;
        if (shown++)
            km_buf_byte(&out, ',');
        model_object(&out, full_name(x, names[i]));
    }
    km_buf_str(&out, KM_STR("]}"));
    km_reply_json(v, 200, km_buf_view(&out));
}

void km_google_model(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_model_match found;
    struct km_err err = { 0 };
    struct km_str name;
    int r = km_url_decode(km_exchange_arena(x), match->params[0], false, &name, &err);

    if (r == 0 && (km_models_find(v->view->snap->models, name, &found, &err) < 0 ||
                   !km_info_may_use(v, name)))
        r = km_fail_param(&err, KM_E_NOT_FOUND, "model",
                          "There is no model '%.*s' here. GET /v1beta/models lists those your key "
                          "may use.",
                          KM_STR_ARG(km_str_sub(name, 0, 200)));
    if (r < 0) {
        km_reply_error(v, &err);
        return;
    }
    model_object(&out, full_name(x, name));
    km_reply_json(v, 200, km_buf_view(&out));
}
