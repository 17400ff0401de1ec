/* SPDX-License-Identifier: Apache-2.0 */
/* info.h - what is known of the models: in Anthropic's shape, and in LiteLLM's for those who choose
 * a model by its price, its window or what it can. */
#ifndef KM_GATEWAY_LLM_INFO_H
#define KM_GATEWAY_LLM_INFO_H

#include "host/visit.h"

struct km_exchange;
struct km_route_match;

/* May the visit's key use a model of that name? */
bool km_info_may_use(const struct km_visit *v, struct km_str name);

/* Anthropic's libraries name the version of their API with every request. */
bool km_anthropic_asks(const struct km_visit *v);
/* The list, or with a name that one model, which is there and may be used. */
void km_anthropic_models(struct km_visit *v, struct km_str name);

/* GET /model/info: each deployment, without credentials. */
void km_info_models(void *visit, struct km_exchange *x, const struct km_route_match *match);
/* GET /model_group/info: each name, of all its deployments. */
void km_info_groups(void *visit, struct km_exchange *x, const struct km_route_match *match);

#endif
