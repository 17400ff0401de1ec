/* SPDX-License-Identifier: Apache-2.0 */
/* affinity.h - whose calls of a model group go to the same deployment again (policy/sticky.h). */
#ifndef KM_LLM_AFFINITY_H
#define KM_LLM_AFFINITY_H

#include "config/config.h"

enum km_affinity {
    KM_AFFINITY_SESSION = 1 << 0, /* a session's */
    KM_AFFINITY_KEY = 1 << 1, /* a key's */
    KM_AFFINITY_PROMPT = 1 << 2, /* those that begin alike, as far as their prompt is cached */
};

/* Of a model group: enum km_affinity; 0: chance and strategy alone decide. */
unsigned km_affinity_of(const struct km_config *config, struct km_str group);

#endif
