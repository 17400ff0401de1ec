/* SPDX-License-Identifier: Apache-2.0 */
/* gating.h - private to llm/: which deployments have calls wait for them, and by which rules. */
#ifndef KM_LLM_GATING_H
#define KM_LLM_GATING_H

#include "llm/model.h"

/* Each gets its gate, by name of its group and id, and its rules.  args->gates NULL: none. */
int km_deployments_gate(struct km_deployment *v, size_t n, const struct km_models_args *args,
                        struct km_arena *arena, struct km_diags *diags,
                        struct km_err *err) KM_MUST_USE;

#endif
