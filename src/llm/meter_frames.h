/* SPDX-License-Identifier: Apache-2.0 */
/* meter_frames.h - what a meter keeps of streams in Bedrock's frames, and how it ends them. */
#ifndef KM_LLM_METER_FRAMES_H
#define KM_LLM_METER_FRAMES_H

#include "llm/meter.h"

/* An event went by; root: its payload, of InvokeModel what is inside of it, as JSON too. */
void km_converse_keep(struct km_meter *m, struct km_str type, const struct km_json *root);
void km_invoke_keep(struct km_meter *m, const struct km_json *root, struct km_str event);
/* As km_meter_kind's cut. */
int km_converse_cut(struct km_meter *m, const struct km_llm_cut *c, struct km_err *err);
int km_invoke_cut(struct km_meter *m, const struct km_llm_cut *c, struct km_err *err);

#endif
