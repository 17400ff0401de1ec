/* SPDX-License-Identifier: Apache-2.0 */
/* targets.h - the accounts that the models' settings make (llm/budgets.h). */
#ifndef KM_HOST_TARGETS_H
#define KM_HOST_TARGETS_H

#include "base/err.h"

struct km_gateway;
struct km_models;

/* As these models have them from now on: those of providers and deployments that are not among them
 * any more go.  At the start, before spend is read; and when other models are in force: then tags
 * stay as they are. */
int km_targets_declare(struct km_gateway *gw, const struct km_models *models, bool start,
                       struct km_err *err) KM_MUST_USE;

#endif
