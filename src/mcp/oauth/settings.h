/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - tokens instead of keys, towards clients and towards servers: what both share.
 *
 * The rows are in settings.c; the built-in authorization server is door/oauth/oauth.h, the
 * client of other ones oauth.h.
 */
#ifndef KM_MCP_OAUTH_SETTINGS_H
#define KM_MCP_OAUTH_SETTINGS_H

#include "base/setting.h"

enum km_oauth_mode { KM_OAUTH_AUTO, KM_OAUTH_ON, KM_OAUTH_OFF };

struct km_oauth_table { /* kanmon_settings.oauth */
    int64_t server; /* enum km_oauth_mode: the built-in authorization server */
    struct km_str_list trusted_hosts; /* may be fetched from though their address is private */
    struct km_str client_document; /* where kanmon as a client is described; empty: here */
};

struct km_oauth_settings { /* kanmon_settings */
    struct km_str public_url;
    struct km_oauth_table oauth;
};
extern const struct km_settings_table km_oauth_settings_table;

#endif
