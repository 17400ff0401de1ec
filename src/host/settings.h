/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - settings of the gateway itself: where it listens, who may come in. */
#ifndef KM_HOST_SETTINGS_H
#define KM_HOST_SETTINGS_H

#include "base/setting.h"

struct km_listen_tls {
    struct km_str cert, key, client_ca;
};

struct km_listen_entry {
    struct km_str host;
    int64_t port;
    struct km_listen_tls tls;
};

enum km_auth_mode { KM_AUTH_MODE_KEYS, KM_AUTH_MODE_NONE };

struct km_gateway_settings { /* kanmon_settings */
    struct km_table_list listen; /* of struct km_listen_entry; empty: 127.0.0.1:4000 */
    struct km_str workers; /* "auto" or a number */
    struct km_str state_dir;
    struct km_str user; /* who to become when started as root; empty: nobody */
    int64_t auth; /* enum km_auth_mode */
    bool metrics_public;
    struct km_str_list allowed_hosts;
    struct km_str_list allowed_origins;
    int64_t log_format; /* enum km_log_format */
    int64_t log_level; /* enum km_log_level */
    struct km_str log_file; /* empty: standard error */
    bool log_prompts;
    int64_t drain_ms;
    int64_t stream_idle_ms; /* silence of an upstream inside an answer */
    bool resume; /* a stream that breaks goes on at another deployment */
    int64_t inner_calls; /* one call asks for at a time */
    int64_t response_bytes; /* a buffered answer of an upstream */
    int64_t sse_event_bytes; /* one event of an upstream's stream */
    int64_t realtime_message_bytes; /* one event of a Realtime session */
    int64_t realtime_ping_ms;
    int64_t realtime_session_ms;
};

struct km_general_settings { /* general_settings */
    struct km_str master_key;
    struct km_str database_url;
    struct km_str key_header; /* litellm_key_header_name */
};

struct km_litellm_logging { /* litellm_settings */
    bool json_logs;
    bool set_verbose;
    bool metrics_auth; /* require_auth_for_metrics_endpoint */
};

struct km_litellm_router_logging { /* router_settings */
    bool set_verbose;
};

extern const struct km_settings_table km_gateway_settings_table;
extern const struct km_settings_table km_general_settings_table;
extern const struct km_settings_table km_litellm_logging_table;
extern const struct km_settings_table km_litellm_router_logging_table;

#endif
