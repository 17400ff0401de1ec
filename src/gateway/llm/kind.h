/* SPDX-License-Identifier: Apache-2.0 */
/* kind.h - the kind of call of an API with a model, whole or streamed, translated or not. */
#ifndef KM_GATEWAY_LLM_KIND_H
#define KM_GATEWAY_LLM_KIND_H

#include "call/call.h"

extern const struct km_call_kind km_kind_llm;
extern const struct km_call_kind km_kind_own; /* the same, for the gateway's own ends */
extern const struct km_call_kind km_kind_mirror; /* the shadow of a call (mirror.h) */

#endif
