/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - OpenAI's paths, with and without /v1, Azure's deployment form, and the lists of
 * models.
 *
 * A row names a path, the level of authentication and what kind of call begins there; the call
 * itself is call.c's.  The lists of models are answered here: they need no upstream.  A key
 * sees the models it may use and no others.
 */
#include "gateway/llm/kind.h"
#include "gateway/llm/routes.h"

#include "kept/answers.h"
#include "call/call.h"
#include "door/http_port.h"
#include "gateway/llm/google.h"
#include "gateway/llm/info.h"
#include "door/reply.h"
#include "llm/api/counters.h"
#include "llm/api/messages.h"
#include "llm/api/responses.h"

#define MODELS_CREATED 1677610602 /* LiteLLM says this of every model, and clients compare */

static void call(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    km_call_begin(visit, km_http_port(visit), &km_kind_llm, match->route->data);
}

static void model_object(struct km_buf *out, struct km_str name)
{
    km_buf_str(out, KM_STR("{\"id\":"));
    km_buf_json(out, name);
    km_buf_printf(out, ",\"object\":\"model\",\"created\":%d,\"owned_by\":\"openai\"}",
                  MODELS_CREATED);
}

static void list_models(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024 * 1024);
    const struct km_str *names;
    size_t n = km_models_names(v->view->snap->models, &names), shown = 0;

    if (km_google_asks(v)) {
        km_google_models(visit, x, match);
        return;
    }
    if (km_anthropic_asks(v)) {
        km_anthropic_models(v, KM_STR_NONE);
        return;
    }
    km_buf_str(&out, KM_STR("{\"data\":["));
    for (size_t i = 0; i < n; i++) {
        if (!km_info_may_use(v, names[i]))
            continue;
        if (shown++)
            km_buf_byte(&out, ',');
        model_object(&out, names[i]);
    }
    km_buf_str(&out, KM_STR("],\"object\":\"list\"}"));
    km_reply_json(v, 200, km_buf_view(&out));
}

static void one_model(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_model_match found;
    struct km_err err = { 0 };
    struct km_str name;
    int r;

    if (km_google_asks(v)) {
        km_google_model(visit, x, match);
        return;
    }
    r = km_url_decode(km_exchange_arena(x), match->params[0], false, &name, &err);
    if (r == 0 && (km_models_find(v->view->snap->models, name, &found, &err) < 0 ||
                   !km_info_may_use(v, name)))
        r = km_fail_param(&err, KM_E_NOT_FOUND, "model",
                          "There is no model '%.*s' here. GET /v1/models lists those your key may "
                          "use.",
                          KM_STR_ARG(km_str_sub(name, 0, 200)));
    if (r < 0) {
        km_reply_error(v, &err);
        return;
    }
    if (km_anthropic_asks(v)) {
        km_anthropic_models(v, name);
        return;
    }
    model_object(&out, name);
    km_reply_json(v, 200, km_buf_view(&out));
}

#define CALL(path, api)                                                                            \
    {                                                                                              \
        "POST", path, call, KM_AUTH_CALL, &(api)                                                   \
    }
#define FOUR(path, api)                                                                            \
    CALL("/v1" path, api), CALL(path, api), CALL("/openai/deployments/{model}" path, api),         \
        CALL("/engines/{model}" path, api)

static const struct km_route rows[] = {
    FOUR("/chat/completions", km_api_chat),
    FOUR("/completions", km_api_completion),
    FOUR("/embeddings", km_api_embedding),
    CALL("/v1/rerank", km_api_rerank),
    CALL("/v2/rerank", km_api_rerank),
    CALL("/rerank", km_api_rerank),
    CALL("/v1/messages", km_api_messages),
    CALL("/v1/messages/count_tokens", km_api_count_messages),
    CALL("/v1/responses", km_api_responses),
    CALL("/responses", km_api_responses),
    CALL("/v1/responses/input_tokens", km_api_count_responses),
    CALL("/responses/input_tokens", km_api_count_responses),
    CALL("/v1/responses/compact", km_api_compact),
    CALL("/responses/compact", km_api_compact),
    CALL("/utils/token_counter", km_api_token_counter),
    { "GET", "/v1/responses/{id}", km_answers_get, KM_AUTH_KEY, NULL },
    { "GET", "/responses/{id}", km_answers_get, KM_AUTH_KEY, NULL },
    { "GET", "/openai/v1/responses/{id}", km_answers_get, KM_AUTH_KEY, NULL },
    { "DELETE", "/v1/responses/{id}", km_answers_delete, KM_AUTH_KEY, NULL },
    { "DELETE", "/responses/{id}", km_answers_delete, KM_AUTH_KEY, NULL },
    { "DELETE", "/openai/v1/responses/{id}", km_answers_delete, KM_AUTH_KEY, NULL },
    { "GET", "/model/info", km_info_models, KM_AUTH_KEY, NULL },
    { "GET", "/v1/model/info", km_info_models, KM_AUTH_KEY, NULL },
    { "GET", "/model_group/info", km_info_groups, KM_AUTH_KEY, NULL },
    { "GET", "/v1/models", list_models, KM_AUTH_KEY, NULL },
    { "GET", "/models", list_models, KM_AUTH_KEY, NULL },
    { "POST", "/v1/models/{model:path}", km_google_call, KM_AUTH_CALL, NULL },
    { "POST", "/v1beta/models/{model:path}", km_google_call, KM_AUTH_CALL, NULL },
    { "GET", "/v1beta/models", km_google_models, KM_AUTH_KEY, NULL },
    { "GET", "/v1beta/models/{model:path}", km_google_model, KM_AUTH_KEY, NULL },
    { "GET", "/v1/models/{id:path}", one_model, KM_AUTH_KEY, NULL },
    { "GET", "/models/{id:path}", one_model, KM_AUTH_KEY, NULL },
};

const struct km_route_rows km_llm_routes = { rows, sizeof rows / sizeof rows[0] };
