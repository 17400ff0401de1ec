/* SPDX-License-Identifier: Apache-2.0 */
/* litellm.h - LiteLLM's keys that no module of ours owns, each with what ignoring it means.
 *
 * A module that starts to honour a key moves the row to its own table and deletes it here.
 */
#ifndef KM_CONFIG_LITELLM_H
#define KM_CONFIG_LITELLM_H

#include "base/setting.h"

/* A key without effect here that allows nothing more when ignored. */
#define KM_LITELLM_IGNORED(key, kind, text)                                                        \
    {                                                                                              \
        .name = key, .type = kind, .help = text, .class = KM_HARMLESS                              \
    }

/* A key that limits access, spend or exposure; inert_values ("false|x") limit nothing. */
#define KM_LITELLM_REFUSED(key, kind, inert_values, text)                                          \
    {                                                                                              \
        .name = key, .type = kind, .help = text, .class = KM_RESTRICTIVE, .inert = inert_values    \
    }

extern const struct km_settings_table km_litellm_top_table; /* the top of the file */
extern const struct km_settings_table km_litellm_settings_table; /* litellm_settings */
extern const struct km_settings_table km_litellm_general_table; /* general_settings */
extern const struct km_settings_table km_litellm_router_table; /* router_settings */

#endif
