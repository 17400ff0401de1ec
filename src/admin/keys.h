/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - routes of virtual keys: /key/generate and its family, in LiteLLM's shapes. */
#ifndef KM_ADMIN_KEYS_H
#define KM_ADMIN_KEYS_H

#include "host/snapshot.h"

extern const struct km_route_rows km_key_routes;

#endif
