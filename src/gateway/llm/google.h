/* SPDX-License-Identifier: Apache-2.0 */
/* google.h - Google's paths: "models/{model}:{action}", and its lists of models. */
#ifndef KM_GATEWAY_LLM_GOOGLE_H
#define KM_GATEWAY_LLM_GOOGLE_H

#include "host/visit.h"

/* Handlers (http/router.h): POST .../models/{model}:{action}; GET .../models; .../models/{m}. */
void km_google_call(void *visit, struct km_exchange *x, const struct km_route_match *match);
void km_google_models(void *visit, struct km_exchange *x, const struct km_route_match *match);
void km_google_model(void *visit, struct km_exchange *x, const struct km_route_match *match);

/* /v1/models is OpenAI's path and Google's: who sends Google's key header means Google's. */
bool km_google_asks(const struct km_visit *v);

#endif
