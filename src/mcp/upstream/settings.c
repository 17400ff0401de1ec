/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - rows of mcp_servers and of kanmon_settings.mcp_servers.
 *
 * Both sections have the same rows: LiteLLM's keys and kanmon's own.  A key in the second wins
 * over the same key of the server with that name in the first; a server may stand in either
 * alone.  An unknown key refuses to load: a misspelt `allowed_tools` would open what it was to
 * close.
 */
#include "mcp/upstream/upstream.h"
#include "policy/repeat.h"
#include "policy/retry.h"
#include "sys/sandbox.h"

#define AT(member) offsetof(struct km_mcp_entry, member)
#define ROW(key, kind, member, text)                                                               \
    { .name = key, .type = kind, .offset = AT(member), .help = text }
#define MS(key, member, value, text)                                                               \
    { .name = key, .type = KM_SET_MS, .offset = AT(member), .def = value, .min = 0,                \
      .max = 86400000, .help = text }
#define COUNT(key, member, value, most, text)                                                      \
    { .name = key, .type = KM_SET_INT, .offset = AT(member), .def = value, .min = 0, .max = most,  \
      .help = text }
#define CHOICE(key, member, value, list, text)                                                     \
    { .name = key, .type = KM_SET_ENUM, .offset = AT(member), .def = value, .choices = list,       \
      .help = text }
#define IGNORED(key, text)                                                                         \
    { .name = key, .type = KM_SET_NODE, .offset = AT(unused), .class = KM_HARMLESS, .help = text }
#define REFUSED(key, text)                                                                         \
    { .name = key, .type = KM_SET_NODE, .offset = AT(unused), .class = KM_RESTRICTIVE,             \
      .inert = "false", .help = text }

static const char *const transports[] = { "auto", "sse", "http", "stdio", NULL };
static const char *const auths[] = { "none",         "api_key",
                                     "bearer_token", "basic",
                                     "authorization", "token",
                                     "oauth2",       "oauth2_token_exchange",
                                     "aws_sigv4",    NULL };
static const char *const profiles[] = { "rfc8693", "entra_obo", NULL };
static const char *const client_auths[] = { "default", "client_secret_basic", "client_secret_post",
                                            NULL };
static const char *const risks[] = { "unknown", "read_only", "write", "destructive", NULL };
static const char *const approvals[] = { "default", "never", "destructive", "write", "always",
                                         "deny", NULL };
static const char *const unknowns[] = { "default", "never", "always", "deny", NULL };
static const char *const pins[] = { "default", "off", "warn", "strict", NULL };

static const struct km_setting limit_rows[] = {
    { .name = "nofile", .type = KM_SET_INT,
      .offset = offsetof(struct km_mcp_limit_settings, nofile),
      .def = "1024", .min = 16, .max = 1048576, .help = "Open files of each of its processes." },
    { .name = "cpu_seconds", .type = KM_SET_INT,
      .offset = offsetof(struct km_mcp_limit_settings, cpu_s), .def = "0", .min = 0,
      .max = INT64_C(1) << 40, .help = "Processor time of each of its processes; 0: no limit." },
    { .name = "file_size", .type = KM_SET_BYTES,
      .offset = offsetof(struct km_mcp_limit_settings, fsize_bytes), .def = "1GiB", .min = 0,
      .max = INT64_C(1) << 50, .help = "The largest file it may write; 0: no limit." },
    { .name = "memory", .type = KM_SET_BYTES,
      .offset = offsetof(struct km_mcp_limit_settings, memory_bytes), .def = "2GiB", .min = 0,
      .max = INT64_C(1) << 50,
      .help = "Memory of all its processes together, looked at twice a second; over it the server "
              "is ended. 0: no limit." },
    { .name = "processes", .type = KM_SET_INT,
      .offset = offsetof(struct km_mcp_limit_settings, processes), .def = "256", .min = 0,
      .max = 1000000, .help = "Processes it may have, looked at twice a second; over it the server "
              "is ended. 0: no limit." },
    { 0 },
};

static const struct km_settings_table limits_table = {
    .rows = limit_rows, .size = sizeof(struct km_mcp_limit_settings), .extra = SIZE_MAX
};

static const struct km_setting entry_rows[] = {
    ROW("url", KM_SET_STR, url, "Address of a server over HTTP; of the interface, with spec_path."),
    ROW("spec_path", KM_SET_STR, spec_path,
        "An OpenAPI or Swagger document (a file beside this one, or an http(s) address): each "
        "operation of the interface it describes is a tool."),
    CHOICE("transport", transport, "auto", transports,
           "`http` (Streamable HTTP), `sse` (HTTP with SSE, of 2024-11-05) or `stdio`. Without it "
           "a `command` is stdio, and a `url` is asked as Streamable HTTP, then as SSE."),
    ROW("command", KM_SET_STR, command, "Program of a stdio server: a path, or looked up in PATH."),
    ROW("args", KM_SET_STR_LIST, args, "Its arguments."),
    ROW("env", KM_SET_STR_MAP, env,
        "Its environment, beside PATH, HOME and a few more. `${X-NAME}` is a header of the "
        "client's request, but none that may have its kanmon key; then each such client has a "
        "server of its own."),
    ROW("builtin", KM_SET_STR, builtin,
        "A server that is part of kanmon, in place of `url` or `command`; a mapping of the same "
        "name has its settings."),
    ROW("cwd", KM_SET_STR, cwd, "Its working directory; else a folder of its own."),
    ROW("alias", KM_SET_STR, alias, "The name in front of its tools, when not the server's name."),
    ROW("server_id", KM_SET_STR, server_id, "Its id in LiteLLM's routes; else made of its name."),
    ROW("description", KM_SET_STR, description, "What it is for, for people."),
    ROW("instructions", KM_SET_STR, instructions,
        "Shown to the model in place of the server's own instructions."),
    ROW("mcp_info", KM_SET_NODE, info, "What LiteLLM's routes show of it, costs included."),
    ROW("spec_version", KM_SET_STR, spec_version,
        "The newest protocol revision to speak with it, `2025-06-18` for example; else all are "
        "tried, the newest first."),
    CHOICE("auth_type", auth, "none", auths,
           "How kanmon proves itself to the server."),
    { .name = "auth_value", .type = KM_SET_SECRET, .offset = AT(auth_value),
      .help = "The key, token or `user:password` of auth_type." },
    { .name = "authentication_token", .type = KM_SET_SECRET, .offset = AT(auth_value),
      .help = "Another name of auth_value." },
    ROW("client_id", KM_SET_STR, oauth.client_id, "OAuth: a client registered beforehand."),
    { .name = "client_secret", .type = KM_SET_SECRET, .offset = AT(oauth.client_secret),
      .help = "OAuth: its secret." },
    { .name = "client_private_key", .type = KM_SET_SECRET, .offset = AT(oauth.private_key),
      .help = "OAuth: an RSA or P-256 key in PEM that proves the client in place of a secret "
              "(private_key_jwt)." },
    ROW("scopes", KM_SET_STR_LIST, oauth.scopes, "OAuth: what is asked for."),
    ROW("authorization_url", KM_SET_STR, oauth.authorization_url,
        "OAuth: the authorization endpoint, when it is not to be discovered."),
    ROW("token_url", KM_SET_STR, oauth.token_url, "OAuth: the token endpoint."),
    ROW("registration_url", KM_SET_STR, oauth.registration_url,
        "OAuth: where clients register themselves."),
    ROW("oauth2_flow", KM_SET_STR, oauth.flow,
        "OAuth: `authorization_code` or `client_credentials`."),
    ROW("oauth_shared", KM_SET_BOOL, oauth.shared,
        "OAuth: one login serves all callers, instead of one each."),
    CHOICE("token_endpoint_auth_method", oauth.auth_method, "default", client_auths,
           "OAuth: how client_secret is shown to a token endpoint that is configured; by default "
           "`client_secret_post` for oauth2_token_exchange, else `client_secret_basic`."),
    ROW("token_exchange_endpoint", KM_SET_STR, oauth.exchange_url,
        "oauth2_token_exchange: the issuer's token endpoint, where the token a caller came with is "
        "exchanged for one for the server; else token_url."),
    CHOICE("token_exchange_profile", oauth.profile, "rfc8693", profiles,
           "oauth2_token_exchange: what it speaks; `entra_obo` is Entra ID's on-behalf-of flow."),
    ROW("audience", KM_SET_STR, oauth.audience,
        "oauth2_token_exchange: for whom the token is to be, as the issuer names the server; "
        "`resource` is the url either way."),
    ROW("subject_token_type", KM_SET_STR, oauth.subject_type,
        "oauth2_token_exchange: what the caller's token is; default: "
        "`urn:ietf:params:oauth:token-type:access_token`."),
    ROW("is_byok", KM_SET_BOOL, byok,
        "Every caller brings a credential of their own, kept for them alone, that stands where "
        "auth_type says; there is no auth_value."),
    ROW("byok_description", KM_SET_STR_LIST, byok_description,
        "is_byok: what the credential is used for, told to whoever gives it."),
    ROW("byok_api_key_help_url", KM_SET_STR, byok_help_url,
        "is_byok: where one is had, told to whoever gives it."),
    ROW("aws_role_name", KM_SET_STR, aws.role, "aws_sigv4: a role that is assumed first."),
    { .name = "aws_access_key_id", .type = KM_SET_SECRET, .offset = AT(aws.akid),
      .help = "aws_sigv4: an access key's id; else where AWS's own tools look." },
    { .name = "aws_secret_access_key", .type = KM_SET_SECRET, .offset = AT(aws.secret),
      .help = "aws_sigv4: the access key itself." },
    { .name = "aws_session_token", .type = KM_SET_SECRET, .offset = AT(aws.token),
      .help = "aws_sigv4: the token of a temporary key." },
    ROW("aws_region_name", KM_SET_STR, aws.region, "aws_sigv4: the region that is signed for."),
    { .name = "aws_service_name", .type = KM_SET_STR, .offset = AT(aws.service),
      .def = "bedrock-agentcore", .help = "aws_sigv4: the service that is signed for." },
    ROW("aws_session_name", KM_SET_STR, aws.session_name,
        "aws_sigv4: names the session of aws_role_name."),
    ROW("aws_profile_name", KM_SET_STR, aws.profile, "aws_sigv4: a profile of AWS's shared files."),
    ROW("static_headers", KM_SET_STR_MAP, static_headers,
        "Header fields of every request to it; `${X-NAME}` is a header of the client's request, "
        "but none that may have its kanmon key."),
    ROW("extra_headers", KM_SET_STR_LIST, extra_headers,
        "Names of header fields of the client's request that are passed on, but none that may have "
        "its kanmon key."),
    ROW("allowed_tools", KM_SET_STR_LIST, allowed_tools,
        "Only these tools, by their own name or with the prefix."),
    ROW("disallowed_tools", KM_SET_STR_LIST, disallowed_tools,
        "All tools but these, of allowed_tools too."),
    ROW("allowed_params", KM_SET_NODE, allowed_params,
        "{tool: [names]}: a call of the tool with another parameter is refused."),
    ROW("access_groups", KM_SET_STR_LIST, access_groups,
        "Groups it belongs to, for keys and for x-mcp-servers."),
    ROW("tool_name_to_display_name", KM_SET_NODE, display_names,
        "{tool: name shown instead, behind the alias}."),
    ROW("tool_name_to_description", KM_SET_NODE, descriptions,
        "{tool: description shown instead}."),
    ROW("allow_all_keys", KM_SET_BOOL, allow_all_keys,
        "Every key may use it, whatever its object_permission says."),
    { .name = "available_on_public_internet", .type = KM_SET_BOOL, .offset = AT(public_internet),
      .def = "true",
      .help = "false: only clients of this machine or a private network may use it; those that "
              "X-Forwarded-For names count too." },
    MS("timeout", timeout_ms, "45s",
       "How long a request may take without a word from the server: progress counts as one. 0: for "
       "ever."),
    MS("first_event_timeout", first_ms, "0",
       "The same until the server's first word of it; 0: as `timeout`."),
    MS("call_timeout", call_ms, "0",
       "How long a call may take all in all, whatever progress it makes; the time its client is "
       "asked something does not count. 0: as long as `litellm_settings.request_timeout`."),
    { .name = "enabled", .type = KM_SET_BOOL, .offset = AT(enabled), .def = "true",
      .help = "false: it is listed as stopped and never started." },
    { .name = "stateful", .type = KM_SET_BOOL, .offset = AT(stateful),
      .help = "It keeps something between calls that belongs to one client: each client session "
              "has a session, or a process, of its own." },
    { .name = "asks_clients", .type = KM_SET_BOOL, .offset = AT(asks), .def = "true",
      .help = "false: it never asks its client anything (elicitation, sampling, roots), nor lists "
              "other tools to clients that can be asked, so that all clients share its sessions "
              "and processes." },
    MS("start_timeout", start_ms, "30s", "How long the handshake with a server may take."),
    MS("install_timeout", install_ms, "180s",
       "The same for a stdio server that was never heard before: npx and uvx download first."),
    MS("silence_timeout", silence_ms, "5s",
       "A call of a stdio server that is silent for so long does not hold other calls: they get "
       "another process where one may be started (max_processes), unless the server is "
       "`stateful`; 0: they wait.  Nor does a server that has read server/discover and is silent "
       "for so long keep initialize from being sent (0: 5s)."),
    MS("restart_timeout", restart_ms, "5s",
       "After a stdio server has crashed a call that was not sent yet waits for the next start, at "
       "most so long; 0: it fails at once."),
    MS("idle_timeout", idle_ms, "600s",
       "A stdio server, or session, that nobody asked anything for so long ends; 0: never."),
    MS("health_interval", health_ms, "30s", "How often it is asked whether it lives; 0: never."),
    COUNT("warm", warm, "0", 64, "Processes of a stdio server that are kept running."),
    COUNT("max_processes", most, "8", 64, "Processes of a stdio server, all clients together."),
    COUNT("max_concurrency", max_concurrency, "0", 100000,
          "Calls at once, all clients together; more wait in line. 0: as many as come."),
    CHOICE("sandbox", sandbox, "off", km_sandbox_modes,
           "Keeps a stdio server from files, system calls and privileges it was not given: `on` "
           "by what this machine has, `required` by Landlock and seccomp or not at all, "
           "`bubblewrap` by mounts of its own."),
    ROW("sandbox_read", KM_SET_STR_LIST, sandbox_read,
        "Files and folders it may read besides programs, its working directory and what its "
        "arguments name. A leading `~/` is HOME."),
    ROW("sandbox_write", KM_SET_STR_LIST, sandbox_write,
        "Files and folders it may change besides its own folder, where its caches are then, too."),
    { .name = "sandbox_network", .type = KM_SET_BOOL, .offset = AT(sandbox_network), .def = "true",
      .help = "false: in its sandbox it cannot make a connection." },
    { .name = "log_size", .type = KM_SET_BYTES, .offset = AT(log_bytes), .def = "1MiB",
      .min = 4096, .max = INT64_C(1) << 32,
      .help = "Of the log of its standard error; one older file is kept." },
    { .name = "limits", .type = KM_SET_TABLE, .offset = AT(limits), .table = &limits_table,
      .help = "What a stdio server may use." },
    CHOICE("risk", risk, "unknown", risks,
           "The least of its tools that are not in `risks`: one that says it is more dangerous "
           "is."),
    ROW("risks", KM_SET_NODE, risks, 
        "{tool: unknown, read_only, write or destructive}: whatever the tool says of itself."),
    CHOICE("approve", approve, "default", approvals,
           "Calls of which tools a person has to approve: up from the risk named."),
    CHOICE("approve_unknown", approve_unknown, "default", unknowns,
           "The same for tools that say nothing of their risk."),
    CHOICE("pin", pin, "default", pins,
           "`warn` tells when a tool is new, is not what it was at first sight, or hides "
           "something; `strict` also withholds it until it is approved."),
    ROW("trust_annotations", KM_SET_BOOL, trusted,
        "What its tools say of themselves is believed where it makes them safer: calls of those "
        "with `readOnlyHint` or `idempotentHint` may be repeated. Else it only makes them more "
        "dangerous."),
    CHOICE("retry", retry, "default", km_repeat_words,
           "May its tools' calls be repeated when they fail? By default those of "
           "`trust_annotations` may. A call of which nothing was sent is sent again in any case."),
    { .name = "num_retries", .type = KM_SET_INT, .offset = AT(num_retries), .def = "-1",
      .min = -1, .max = KM_RETRIES_MOST,
      .help = "How often a call that failed is tried again; -1: as often as calls of models." },
    ROW("fallback", KM_SET_STR_LIST, fallback,
        "Servers that are asked instead, in this order, when it fails: for the tool of the same "
        "name, where the call may be repeated or nothing of it was sent."),
    { .name = "tool_settings", .type = KM_SET_TABLE_MAP, .offset = AT(tools),
      .table = &km_mcp_tool_table, .help = "{tool: what holds for it instead}." },
    ROW("tool_search", KM_SET_BOOL, tool_search,
        "Its own endpoint lists search_tools, describe_tool and call_tool in place of its tools."),
    ROW("tool_search_visible", KM_SET_STR_LIST, visible,
        "With tool_search: tools that are listed all the same."),
    REFUSED("oauth_passthrough", "Hands the caller's token on, which kanmon never does."),
    REFUSED("delegate_auth_to_upstream",
            "Lets the server judge the caller's token, which kanmon never hands on."),
    IGNORED("server_name", "The server's name is the key of its entry."),
    IGNORED("teams", "LiteLLM's teams; see access_groups."),
    IGNORED("health_check_url", "kanmon asks the server itself."),
    REFUSED("max_concurrent_requests",
            "Bounds concurrent calls to the server; kanmon bounds them by key only."),
    REFUSED("rpm", "Bounds calls a minute to the server; kanmon bounds them by key only."),
    REFUSED("pinned_tools",
            "Tools as their administrator wrote them down; see kanmon_settings.mcp_safety for "
            "pins."),
    REFUSED("token_validation", "Checks of the caller's token that kanmon does not make."),
    REFUSED("oauth_identity_binding",
            "Compares who logged in at the server with who calls; kanmon does not."),
    REFUSED("issuer", "The one issuer that is trusted; kanmon asks the one the server names."),
    IGNORED("protocol_version", "The revision that is spoken; here that is spec_version."),
    IGNORED("env_vars", "Values for ${NAME} in headers; write os.environ/NAME there."),
    IGNORED("allow_sampling", "Whether the server may ask the model; kanmon asks the client."),
    IGNORED("allow_elicitation", "Whether the server may ask people; kanmon asks the client."),
    IGNORED("dcr_bridge", "How LiteLLM registers clients at the server; kanmon registers itself."),
    IGNORED("per_server_oauth_discovery", "Where LiteLLM's clients find log-ins; kanmon has one."),
    IGNORED("client_private_key_id", "The id of client_private_key; kanmon sends none."),
    IGNORED("client_assertion_signing_alg",
            "How client_private_key signs; kanmon takes what fits the key."),
    IGNORED("id_jag_resource", "An exchange of tokens in two steps, which kanmon does not make."),
    IGNORED("id_jag_resource_token_endpoint",
            "An exchange of tokens in two steps, which kanmon does not make."),
    IGNORED("upstream_resource", "The resource that tokens are asked for; kanmon says the url."),
    IGNORED("upstream_token_header",
            "The header of the token; kanmon sends Authorization, else write static_headers."),
    { 0 },
};

const struct km_settings_table km_mcp_entry_table = { .rows = entry_rows,
                                                      .size = sizeof(struct km_mcp_entry),
                                                      .extra = SIZE_MAX,
                                                      .parts = AT(parts) };

#define SERVERS(text)                                                                              \
    {                                                                                              \
        { .name = "mcp_servers", .type = KM_SET_TABLE_MAP, .table = &km_mcp_entry_table,           \
          .flags = KM_SET_SAFETY, .help = text },                                                  \
        { 0 },                                                                                     \
    }

static const struct km_setting top_rows[] =
    SERVERS("MCP servers behind kanmon, by name, as LiteLLM has them.");
static const struct km_setting own_rows[] = SERVERS(
    "More servers, and more of the servers above: a key here wins over the same key there.");

const struct km_settings_table km_mcp_settings_table = {
    .section = "", .rows = top_rows, .size = sizeof(struct km_table_list), .extra = SIZE_MAX
};
const struct km_settings_table km_mcp_own_table = { .section = "kanmon_settings",
                                                    .rows = own_rows,
                                                    .size = sizeof(struct km_table_list),
                                                    .extra = SIZE_MAX };
