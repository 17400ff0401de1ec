/* SPDX-License-Identifier: Apache-2.0 */
/* model_build.h - private to llm/: one configured entry becomes a deployment. */
#ifndef KM_LLM_MODEL_BUILD_H
#define KM_LLM_MODEL_BUILD_H

#include "llm/model.h"

struct km_model_build {
    const struct km_models_args *args;
    struct km_arena *arena; /* of the models: all strings end up in it */
    struct km_diags *diags;
};

/* Fills *d.  What is wrong with the entry becomes d->unavailable and a warning; an error is
 * returned only when memory runs out.  provider NULL: as the entry says. */
int km_deployment_init(struct km_deployment *d, const struct km_model_build *b,
                       const struct km_model_entry *entry, const struct km_provider *provider,
                       struct km_err *err) KM_MUST_USE;
void km_deployment_done(struct km_deployment *d);

#endif
