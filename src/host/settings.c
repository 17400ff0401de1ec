/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - rows of kanmon_settings that shape the gateway, and LiteLLM's keys for the same. */
#include "host/settings.h"

#define AT(member) offsetof(struct km_listen_tls, member)

static const struct km_setting tls_rows[] = {
    { .name = "cert",
      .type = KM_SET_STR,
      .offset = AT(cert),
      .flags = KM_SET_REQUIRED,
      .help = "Certificate chain, PEM file. Read again on reload." },
    { .name = "key",
      .type = KM_SET_STR,
      .offset = AT(key),
      .flags = KM_SET_REQUIRED,
      .help = "Private key, PEM file." },
    { .name = "client_ca",
      .type = KM_SET_STR,
      .offset = AT(client_ca),
      .help = "PEM file; when set, clients must show a certificate it signed." },
    { 0 },
};

static const struct km_settings_table tls_table = {
    .rows = tls_rows,
    .size = sizeof(struct km_listen_tls),
    .extra = SIZE_MAX,
};

#undef AT
#define AT(member) offsetof(struct km_listen_entry, member)

static const struct km_setting listen_rows[] = {
    { .name = "host",
      .type = KM_SET_STR,
      .offset = AT(host),
      .def = "127.0.0.1",
      .help = "Address to listen on. Other than loopback needs a master key." },
    { .name = "port",
      .type = KM_SET_INT,
      .offset = AT(port),
      .def = "4000",
      .min = 0,
      .max = 65535,
      .help = "Port. It is never replaced by another one; 0 takes a free one." },
    { .name = "tls",
      .type = KM_SET_TABLE,
      .offset = AT(tls),
      .table = &tls_table,
      .flags = KM_SET_SAFETY, /* without client_ca everybody is let in */
      .help = "Serve TLS on this address." },
    { 0 },
};

static const struct km_settings_table listen_table = {
    .rows = listen_rows,
    .size = sizeof(struct km_listen_entry),
    .extra = SIZE_MAX,
};

static const char *const auth_modes[] = { "keys", "none", NULL };
static const char *const log_formats[] = { "text", "json", NULL };
static const char *const log_levels[] = { "debug", "info", "warn", "error", NULL };

#undef AT
#define AT(member) offsetof(struct km_gateway_settings, member)

static const struct km_setting gateway_rows[] = {
    { .name = "listen",
      .type = KM_SET_TABLE_LIST,
      .offset = AT(listen),
      .table = &listen_table,
      .flags = KM_SET_RESTART | KM_SET_WARY,
      .help = "Where to listen; 127.0.0.1:4000 when nothing is said." },
    { .name = "workers",
      .type = KM_SET_STR,
      .offset = AT(workers),
      .def = "auto",
      .flags = KM_SET_RESTART,
      .help = "Worker threads: a number, or `auto` for one a usable core." },
    { .name = "state_dir",
      .type = KM_SET_STR,
      .offset = AT(state_dir),
      .flags = KM_SET_RESTART,
      .env = "KANMON_STATE_DIR",
      .help = "Folder of store, logs and control socket. Default: `.kanmon` beside the file." },
    { .name = "user",
      .type = KM_SET_STR,
      .offset = AT(user),
      .flags = KM_SET_RESTART | KM_SET_SAFETY,
      .help = "Started as root, the gateway becomes this user as soon as its ports are bound." },
    { .name = "auth",
      .type = KM_SET_ENUM,
      .offset = AT(auth),
      .choices = auth_modes,
      .def = "keys",
      .flags = KM_SET_SAFETY,
      .help = "`none` serves everybody without a key, on any address. For development only." },
    { .name = "metrics_public",
      .type = KM_SET_BOOL,
      .offset = AT(metrics_public),
      .help = "/metrics needs no key, from wherever it is asked for." },
    { .name = "allowed_hosts",
      .type = KM_SET_STR_LIST,
      .offset = AT(allowed_hosts),
      .flags = KM_SET_SAFETY,
      .help = "Host names served. Empty: any with a master key, loopback names without one." },
    { .name = "allowed_origins",
      .type = KM_SET_STR_LIST,
      .offset = AT(allowed_origins),
      .help = "Origins of web pages that may call, like `https://app.example`; `*` for any." },
    { .name = "log_format",
      .type = KM_SET_ENUM,
      .offset = AT(log_format),
      .choices = log_formats,
      .def = "text",
      .help = "Form of log lines." },
    { .name = "log_level",
      .type = KM_SET_ENUM,
      .offset = AT(log_level),
      .choices = log_levels,
      .def = "info",
      .env = "KANMON_LOG_LEVEL",
      .help = "Least level that is logged." },
    { .name = "log_file",
      .type = KM_SET_STR,
      .offset = AT(log_file),
      .help = "File of the log, opened again on reload. Default: standard error, or "
              "`kanmon.log` in state_dir under `kanmon start`." },
    { .name = "log_prompts",
      .type = KM_SET_BOOL,
      .offset = AT(log_prompts),
      .help = "Log the request bodies. They hold what your users wrote." },
    { .name = "drain",
      .type = KM_SET_MS,
      .offset = AT(drain_ms),
      .def = "10min",
      .min = 0,
      .max = 86400000,
      .help = "Most time that running calls get when the gateway stops." },
    { .name = "realtime_message_bytes",
      .type = KM_SET_BYTES,
      .offset = AT(realtime_message_bytes),
      .def = "16MiB",
      .min = 1024,
      .max = 64 << 20,
      .flags = KM_SET_SAFETY,
      .help = "Most bytes of one event of a Realtime session, in either direction." },
    { .name = "realtime_ping",
      .type = KM_SET_MS,
      .offset = AT(realtime_ping_ms),
      .def = "20s",
      .min = 1000,
      .max = 86400000,
      .help = "Silence of either side of a Realtime session before it is sent a ping; three times "
              "that and it is taken for dead." },
    { .name = "realtime_session",
      .type = KM_SET_MS,
      .offset = AT(realtime_session_ms),
      .def = "2h",
      .min = 1000,
      .max = 86400000,
      .flags = KM_SET_SAFETY,
      .help = "Most time a Realtime session may take." },
    { .name = "stream_idle",
      .type = KM_SET_MS,
      .offset = AT(stream_idle_ms),
      .def = "5min",
      .min = 1,
      .max = 86400000,
      .help = "Longest silence of an upstream in the middle of an answer." },
    { .name = "resume",
      .type = KM_SET_BOOL,
      .offset = AT(resume),
      .def = "false",
      .help = "A stream of plain text that breaks goes on at another deployment of its model, or "
              "of a fallback. Each attempt is paid for. `resumeStream` says otherwise for one "
              "request." },
    { .name = "inner_calls",
      .type = KM_SET_INT,
      .offset = AT(inner_calls),
      .def = "8",
      .min = 1,
      .max = 64,
      .flags = KM_SET_SAFETY,
      .help = "How many calls one call may have asked for at a time: a chat with MCP tools asks "
              "models and tools in its caller's name." },
    { .name = "response_bytes",
      .type = KM_SET_BYTES,
      .offset = AT(response_bytes),
      .def = "32MiB",
      .min = 1024,
      .max = INT64_C(1) << 32,
      .flags = KM_SET_SAFETY,
      .help = "Largest answer of an upstream that is held whole." },
    { .name = "sse_event_bytes",
      .type = KM_SET_BYTES,
      .offset = AT(sse_event_bytes),
      .def = "1MiB",
      .min = 1024,
      .max = INT64_C(1) << 30,
      .flags = KM_SET_SAFETY,
      .help = "Largest event of an upstream's stream." },
    { 0 },
};

const struct km_settings_table km_gateway_settings_table = {
    .section = "kanmon_settings",
    .rows = gateway_rows,
    .size = sizeof(struct km_gateway_settings),
    .extra = SIZE_MAX,
};

#undef AT
#define AT(member) offsetof(struct km_general_settings, member)

static const struct km_setting general_rows[] = {
    { .name = "master_key",
      .type = KM_SET_SECRET,
      .offset = AT(master_key),
      .env = "LITELLM_MASTER_KEY",
      .flags = KM_SET_SAFETY,
      .help = "The administrator's key; begins with `sk-`. Without it only loopback is served." },
    { .name = "database_url",
      .type = KM_SET_SECRET,
      .offset = AT(database_url),
      .class = KM_HARMLESS,
      .help = "LiteLLM's PostgreSQL. Keys and books are kept in SQLite under state_dir instead." },
    { .name = "litellm_key_header_name",
      .type = KM_SET_STR,
      .offset = AT(key_header),
      .help = "One more header field that may carry the key." },
    { 0 },
};

const struct km_settings_table km_general_settings_table = {
    .section = "general_settings",
    .rows = general_rows,
    .size = sizeof(struct km_general_settings),
    .extra = SIZE_MAX,
};

#undef AT
#define AT(member) offsetof(struct km_litellm_logging, member)

static const struct km_setting logging_rows[] = {
    { .name = "json_logs",
      .type = KM_SET_BOOL,
      .offset = AT(json_logs),
      .help = "Log lines as JSON, as kanmon_settings.log_format: json." },
    { .name = "set_verbose",
      .type = KM_SET_BOOL,
      .offset = AT(set_verbose),
      .help = "Log at level debug." },
    { .name = "require_auth_for_metrics_endpoint",
      .type = KM_SET_BOOL,
      .offset = AT(metrics_auth),
      .def = "true",
      .help = "false: /metrics needs no key, as kanmon_settings.metrics_public." },
    { 0 },
};

const struct km_settings_table km_litellm_logging_table = {
    .section = "litellm_settings",
    .rows = logging_rows,
    .size = sizeof(struct km_litellm_logging),
    .extra = SIZE_MAX,
};

#undef AT
#define AT(member) offsetof(struct km_litellm_router_logging, member)

static const struct km_setting router_logging_rows[] = {
    { .name = "set_verbose",
      .type = KM_SET_BOOL,
      .offset = AT(set_verbose),
      .help = "Log at level debug." },
    { 0 },
};

const struct km_settings_table km_litellm_router_logging_table = {
    .section = "router_settings",
    .rows = router_logging_rows,
    .size = sizeof(struct km_litellm_router_logging),
    .extra = SIZE_MAX,
};
