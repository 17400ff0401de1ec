/* SPDX-License-Identifier: Apache-2.0 */
/* media.h - images, speech, transcriptions, moderations: the routes of their calls. */
#ifndef KM_GATEWAY_MEDIA_MEDIA_H
#define KM_GATEWAY_MEDIA_MEDIA_H

#include "host/snapshot.h"

extern const struct km_route_rows km_media_routes;

#endif
