/* SPDX-License-Identifier: Apache-2.0 */
/* other_models.h - models that a body names beside the one it asks for. */
#ifndef KM_GATEWAY_OTHER_MODELS_H
#define KM_GATEWAY_OTHER_MODELS_H

#include "call/call.h"
#include "call/hooks.h"

/* At `prepared`: may the call's key have the upstream use each of them, and is enough reserved for
 * it?  KM_E_MODEL_DENIED, KM_E_UNPRICED, KM_E_INVALID:
 * naming the member and the model. */
extern const struct km_call_hook km_other_models_hook;

/* The same for the body of a batch's line: root, which asks for `asked`. */
int km_other_models_line(struct km_call *call, const struct km_json *root, struct km_str asked,
                         struct km_err *err) KM_MUST_USE;

/* May the key use that one, which a Realtime session's voice is transcribed by? */
int km_other_models_heard(struct km_call *call, const char *member, struct km_str name,
                          struct km_err *err) KM_MUST_USE;

#endif
