/* SPDX-License-Identifier: Apache-2.0 */
/* upstream.h - the MCP servers behind kanmon: what is configured, how they are, what they offer.
 *
 *     struct km_mcp_set        the configured servers of one snapshot; immutable, counted
 *       struct km_mcp_upstream   one of them; lives on from snapshot to snapshot while its
 *                                configuration is the same
 *     struct km_mcp_upstreams  the gateway's: the set in force, the store of catalogues
 *       struct km_mcp_desk       a worker's: its sessions, its asks (ask.h); one loop
 *
 * What a server offers is its catalogue: an immutable, counted picture of its lists.  It is kept
 * in the store, so that it is there at once after a start, with from_store set until the server
 * itself has said the same.  A server may show other lists to a client with other capabilities
 * or to another principal, so a catalogue belongs to a server and to what tells such askers
 * apart (struct km_mcp_asker); most servers have one.
 *
 * Thread: sets, upstreams and catalogues are read by any; a desk belongs to its loop.
 */
#ifndef KM_MCP_UPSTREAM_H
#define KM_MCP_UPSTREAM_H

#include "base/event.h"
#include "config/config.h"
#include "http/client.h"
#include "mcp/safety/approval.h"
#include "mcp/safety/pin.h"
#include "mcp/revision.h"
#include "store/store.h"

struct km_mcp_builtin;
struct km_mcp_oauth;
struct km_openapi_source;
struct km_mcp_virtual;

/* SSE is LiteLLM's default. */
enum km_mcp_transport { KM_MCP_SSE, KM_MCP_HTTP, KM_MCP_STDIO, KM_MCP_BUILTIN };

enum km_mcp_auth {
    KM_MCP_AUTH_NONE,
    KM_MCP_AUTH_API_KEY, /* X-API-Key */
    KM_MCP_AUTH_BEARER, /* Authorization: Bearer */
    KM_MCP_AUTH_BASIC, /* Authorization: Basic, of user:password */
    KM_MCP_AUTH_RAW, /* Authorization as it is */
    KM_MCP_AUTH_TOKEN, /* Authorization: token */
    KM_MCP_AUTH_OAUTH2,
    KM_MCP_AUTH_EXCHANGE, /* oauth2_token_exchange */
    KM_MCP_AUTH_SIGV4,
};

/* XX(NAME, name).  installing: a first start of a command that may download (npx and the like);
 * ready: it gave its lists; degraded: it answers, but not
 * everything or not always; stopped: nothing runs and nothing should (idle, or by hand). */
#define KM_MCP_STATES(XX)                                                                          \
    XX(STOPPED, stopped)                                                                           \
    XX(INSTALLING, installing)                                                                     \
    XX(STARTING, starting)                                                                         \
    XX(READY, ready)                                                                               \
    XX(DEGRADED, degraded)                                                                         \
    XX(DOWN, down)

enum km_mcp_state {
#define XX(NAME, name) KM_MCP_##NAME,
    KM_MCP_STATES(XX)
#undef XX
};
const char *km_mcp_state_name(enum km_mcp_state state);

enum km_mcp_exchange_profile { KM_MCP_EXCHANGE_RFC8693, KM_MCP_EXCHANGE_ENTRA };
/* How the client's secret is shown where no metadata says it. */
enum km_mcp_client_auth { KM_MCP_CLIENT_DEFAULT, KM_MCP_CLIENT_BASIC, KM_MCP_CLIENT_POST };

/* One entry of mcp_servers as it is written; rows in settings.c. */
struct km_mcp_oauth_settings {
    struct km_str client_id, client_secret, authorization_url, token_url, registration_url;
    struct km_str_list scopes;
    struct km_str private_key; /* PEM: proves the client in place of a secret */
    struct km_str flow; /* "client_credentials", "authorization_code"; empty: not said */
    struct km_str exchange_url, audience, subject_type; /* oauth2_token_exchange */
    int64_t profile; /* the same: enum km_mcp_exchange_profile */
    int64_t auth_method; /* enum km_mcp_client_auth */
    bool shared; /* one token for all principals */
};

struct km_mcp_aws_settings {
    struct km_str role, akid, secret, token, region, service, session_name, profile;
};

struct km_mcp_limit_settings { /* of a stdio child; 0: none */
    int64_t nofile, cpu_s, fsize_bytes, memory_bytes, processes;
};

/* What is said of one of its tools: rows in tool_settings.c. */
struct km_mcp_tool_settings {
    int64_t retry; /* enum km_repeat_said: its calls may be repeated */
    int64_t timeout_ms, first_ms, call_ms; /* 0: as its server's */
};
extern const struct km_settings_table km_mcp_tool_table;

struct km_mcp_entry {
    struct km_str url, spec_path, command, cwd, alias, description, server_id, instructions,
        spec_version;
    struct km_str auth_value;
    struct km_str_list args, access_groups, allowed_tools, disallowed_tools, extra_headers;
    struct km_str_map env, static_headers;
    int64_t transport; /* 0: as url and command say; else 1 and enum km_mcp_transport */
    int64_t auth; /* enum km_mcp_auth */
    const struct km_node *allowed_params; /* {tool: [names]} */
    const struct km_node *info; /* mcp_info */
    const struct km_node *display_names, *descriptions; /* {tool: text} */
    struct km_mcp_oauth_settings oauth;
    struct km_mcp_aws_settings aws;
    struct km_str_list visible; /* with tool_search */
    bool allow_all_keys, public_internet, enabled, stateful, tool_search;
    bool asks; /* its sessions declare what their clients can be asked */
    bool byok; /* each principal brings the credential of auth_type itself */
    struct km_str_list byok_description; /* what it is used for, a line each */
    struct km_str byok_help_url; /* where one is had */
    int64_t timeout_ms; /* of a request, without a word of progress */
    int64_t first_ms; /* the same until the first word; 0: as timeout_ms */
    int64_t call_ms; /* of a call, all in all but for what its client is asked; 0: no bound */
    int64_t install_ms, start_ms, idle_ms, health_ms;
    int64_t silence_ms, restart_ms; /* of stdio: remote/hold.c */
    int64_t warm; /* children kept running */
    int64_t most; /* children of this server */
    int64_t max_concurrency; /* calls at once; 0: as many as come */
    int64_t log_bytes;
    struct km_mcp_limit_settings limits;
    struct km_str builtin; /* the kind of a server that is part of kanmon */
    struct km_setting_parts parts; /* settings of kinds, each below its name */
    int64_t sandbox; /* enum km_sandbox_mode */
    struct km_str_list sandbox_read, sandbox_write; /* absolute paths */
    bool sandbox_network;
    int64_t risk; /* enum km_risk: of tools that are not named in `risks` */
    int64_t approve; /* 0: as for all servers; else 1 and enum km_approve */
    int64_t approve_unknown; /* 0: as for all servers; never, always, deny */
    int64_t pin; /* 0: as for all servers; off, warn, strict */
    const struct km_node *risks; /* {tool: risk} */
    bool trusted; /* what its tools say of themselves may relax something */
    int64_t retry; /* enum km_repeat_said: its calls may be repeated */
    int64_t num_retries; /* how often; -1: as of models */
    struct km_str_list fallback; /* servers that are asked instead, where a call may be repeated */
    struct km_table_list tools; /* struct km_mcp_tool_settings, by the tool's own name */
    const struct km_node *unused; /* keys accepted without effect */
};

/* kanmon_settings.mcp_safety; rows in safety/settings.c. */
struct km_mcp_safety {
    int64_t pin; /* enum km_pin_mode */
    int64_t approve; /* enum km_approve */
    int64_t approve_unknown; /* never, always, deny */
    int64_t approve_by; /* client, administrator */
};
extern const struct km_settings_table km_mcp_safety_table;

/* Of general_settings and litellm_settings; rows in litellm.c. */
struct km_mcp_general {
    bool keys_need_grant;
    struct km_str client_auth; /* name of a header */
};
struct km_mcp_aliases {
    struct km_str_map aliases; /* alias to server */
};
extern const struct km_settings_table km_mcp_general_table, km_mcp_alias_table;

/* What holds for its tools: of its own entry, or of what is said for all servers.  They change with
 * the configuration while the server and its sessions stay. */
struct km_mcp_rules {
    enum km_pin_mode pin;
    struct km_approval_policy policy;
    bool ask_client; /* the client's user may approve a call */
};

struct km_mcp_live; /* its state and catalogues: private */

struct km_mcp_upstream {
    _Atomic unsigned refs;
    struct km_arena arena; /* holds all below */
    struct km_str name; /* as configured: for commands, URLs and access lists */
    struct km_str alias; /* of wire names: no separator in it */
    struct km_str id; /* server_id: configured, or derived from the name */
    enum km_mcp_transport transport;
    const struct km_mcp_entry *entry;
    struct km_config *config; /* where the entry's strings are; referenced */
    const struct km_mcp_builtin *builtin; /* its kind; NULL: it is not part of kanmon */
    const void *settings; /* of the kind's rows; NULL: there is none */
    struct km_origin *origin; /* of url; NULL: stdio or builtin, or a document says where */
    struct km_str target; /* path and query */
    struct km_str head; /* header lines of every request: static headers */
    struct km_str credential; /* the line of a fixed one, unless the asker has its own; or empty */
    struct km_str client_auth; /* the header of a client's own for all servers */
    struct km_str key_header; /* of a client's key to kanmon, beside the usual ones; or empty */
    uint8_t digest[32]; /* of all that is configured: the same upstream, or another */
    uint8_t shape[32]; /* the same without what is secret: for what is kept */
    struct km_auth *signer; /* SigV4; NULL: none (llm/auth.h) */
    struct km_mcp_oauth *oauth; /* tokens (oauth/oauth.h); NULL: none */
    struct km_openapi_source *openapi; /* its tools are made of (openapi/source.h); NULL: it says */
    bool added; /* at run time, not in the file */
    bool personal; /* headers or environment depend on who asks: no lists without an asker */
    _Atomic uint32_t rules; /* km_mcp_rules() */
    struct km_mcp_live *live;
};

/* What is said of a tool, by its own name; NULL: nothing. */
const struct km_mcp_tool_settings *km_mcp_tool_said(const struct km_mcp_entry *e,
                                                    struct km_str tool);

/* How long a request to it may take; 0: no bound. */
struct km_mcp_times {
    uint64_t silent_ms; /* without a word from the server */
    uint64_t first_ms; /* the same until its first */
    uint64_t call_ms; /* all in all, but for the time its client is asked something */
};
/* Of a tool's calls; tool empty: of other requests. */
struct km_mcp_times km_mcp_times_of(const struct km_mcp_entry *e, struct km_str tool);

/* What counts of an entry and of what is said for all. */
struct km_mcp_rules km_mcp_rules_of(const struct km_mcp_safety *all, const struct km_mcp_entry *e);
/* What is in force for it now, all of one configuration.  Any thread, both. */
struct km_mcp_rules km_mcp_rules(const struct km_mcp_upstream *u);
void km_mcp_rules_set(struct km_mcp_upstream *u, struct km_mcp_rules rules);

struct km_mcp_upstream *km_mcp_upstream_ref(struct km_mcp_upstream *u); /* any thread */
struct km_mcp_upstream *km_mcp_upstream_unref(struct km_mcp_upstream *u);

/* --- a snapshot's servers --- */

struct km_mcp_set {
    _Atomic unsigned refs;
    struct km_mcp_upstream **v; /* in the order of the file */
    struct km_mcp_rules *rules; /* of each: in force once the set is (km_mcp_upstreams_use) */
    size_t n;
    struct km_map *names; /* name, alias or id to upstream */
    bool exchanges; /* one of them wants the token a caller came with exchanged */
    struct km_mcp_virtual **virtuals; /* subsets (view/virtual.h), in the file's order */
    size_t nvirtuals;
};

struct km_mcp_set_args {
    const struct km_config *config;
    struct km_tls_client *tls; /* referenced */
    const struct km_proxy_env *proxies;
    const struct km_mcp_builtin *const *builtins; /* kinds, NULL ends */
    struct km_str key_header; /* general_settings.litellm_key_header_name; lives as config does */
    const struct km_mcp_set *before; /* upstreams that stay the same are taken from it; or NULL */
};

/* KM_E_CONFIG with diagnostics: two servers with one wire name, a transport without its address. */
int km_mcp_set_new(const struct km_mcp_set_args *args, struct km_diags *diags,
                   struct km_mcp_set **ret_set, struct km_err *err) KM_MUST_USE;
struct km_mcp_set *km_mcp_set_ref(struct km_mcp_set *set);
struct km_mcp_set *km_mcp_set_unref(struct km_mcp_set *set);
/* By name, alias or server_id; NULL: there is none. */
struct km_mcp_upstream *km_mcp_set_find(const struct km_mcp_set *set, struct km_str name);

/* What the servers that were added at run time are called as a place in the configuration. */
#define KM_MCP_ADDED_NAME "(added servers)"

/* Who is asked in the place of a server that fails, in that order.  Returns how many. */
#define KM_MCP_FOLLOWERS 5
size_t km_mcp_followers(const struct km_mcp_set *set, const struct km_mcp_upstream *first,
                        struct km_mcp_upstream *ret[KM_MCP_FOLLOWERS]);

extern const struct km_settings_table km_mcp_entry_table; /* of one server */
extern const struct km_settings_table km_mcp_settings_table; /* mcp_servers */
extern const struct km_settings_table km_mcp_own_table; /* kanmon_settings.mcp_servers, over it */

/* --- what a server offers --- */

struct km_mcp_item {
    struct km_str json; /* the tool, resource, template or prompt as the server sent it */
    struct km_str name; /* of a tool or prompt; of a resource its uri, of a template uriTemplate */
    uint8_t hash[32]; /* of json as km_json_digest() sees it */
    uint8_t pin[32]; /* of a tool: of what a model decides by (safety/pin.h) */
    unsigned flags; /* enum km_scan_flag */
    struct km_mcp_hints hints; /* of a tool: its annotations */
    bool marked; /* of a tool: arguments are repeated in headers */
};

/* What is known of a list (catalogue/listing.h has the rules).  Empty is what a server says;
 * unknown is what it did not say. */
enum km_mcp_known {
    KM_MCP_LIST_UNKNOWN, /* it never said */
    KM_MCP_LIST_KNOWN, /* as it said when it was asked last */
    KM_MCP_LIST_UNDECLARED, /* it has no such list */
    KM_MCP_LIST_STALE, /* the last good one: asked again, it gave none */
};
const char *km_mcp_known_name(enum km_mcp_known known); /* "stale" */

struct km_mcp_listing {
    const struct km_mcp_item *v;
    size_t n;
    uint8_t hash[32]; /* of its items, in their order */
    enum km_mcp_known known;
    struct km_str why; /* unknown, stale: what it said in place of the list; or empty */
};

enum km_mcp_list { KM_MCP_TOOLS, KM_MCP_RESOURCES, KM_MCP_TEMPLATES, KM_MCP_PROMPTS, KM_MCP_LISTS };

/* The method of a list ("tools/list") and the member of its result ("tools"). */
const char *km_mcp_list_method(enum km_mcp_list list);
const char *km_mcp_list_member(enum km_mcp_list list);

/* What a call of it may do: by its entry's `risks`, else its annotations and at least `risk`. */
enum km_risk km_mcp_tool_risk(const struct km_mcp_upstream *u, const struct km_mcp_item *item);
struct km_mcp_hints km_mcp_tool_hints(const struct km_json *tool);

/* One that clients would not take for an item: nobody is shown it. */
struct km_mcp_refusal {
    enum km_mcp_list list;
    struct km_str name, why;
};
#define KM_MCP_REFUSALS 64 /* of a catalogue, the first */

struct km_mcp_catalogue {
    _Atomic unsigned refs;
    struct km_arena arena;
    bool known; /* no list is unknown */
    bool from_store; /* not yet confirmed since the start */
    bool
        headers; /* arguments are repeated in headers: tools marked wrongly for that are left out */
    const struct km_mcp_revision *revision; /* what it speaks; NULL: not known */
    struct km_str capabilities; /* JSON object */
    struct km_str server_info; /* JSON object: Implementation */
    struct km_str instructions; /* text */
    unsigned instructions_flags; /* enum km_scan_flag */
    struct km_mcp_listing lists[KM_MCP_LISTS];
    struct km_mcp_refusal refused[KM_MCP_REFUSALS];
    size_t nrefused; /* all of them */
    size_t nmended; /* items that are shown otherwise than they came, to be taken at all */
};

/* The first list that could not be had when it was asked for last; KM_MCP_LISTS: none. */
enum km_mcp_list km_mcp_catalogue_failing(const struct km_mcp_catalogue *c);

/* A tool's definition, of all that any client of u is shown, by its pin (64 hexadecimal digits); in
 * the arena, empty: nobody is shown it. */
struct km_str km_mcp_definition(const struct km_mcp_upstream *u, struct km_str tool,
                                struct km_str pin, struct km_arena *arena);

struct km_mcp_catalogue *km_mcp_catalogue_ref(struct km_mcp_catalogue *c); /* any thread */
struct km_mcp_catalogue *km_mcp_catalogue_unref(struct km_mcp_catalogue *c);

/* How it is now; any thread.  why is empty when all is well; never a secret. */
struct km_mcp_status {
    enum km_mcp_state state;
    int64_t since_us; /* wall */
    char why[256];
    uint32_t sessions, asks; /* open now */
    uint64_t restarts; /* failures since it was last ready */
    int64_t last_ok_us; /* wall; 0: never */
    /* In sessions that declare what their clients can be asked: is any of it needed (asks_clients)?
     * calls: answered; questions: of the server; differs: one of them lists something else. */
    struct {
        uint64_t calls, questions;
        bool differs;
    } declared;
};
void km_mcp_status(const struct km_mcp_upstream *u, struct km_mcp_status *ret);

/* --- the gateway's --- */

struct km_mcp_upstreams;
struct km_mcp_desk;

struct km_mcp_upstreams_args {
    struct km_store *store; /* NULL: catalogues are not kept */
    struct km_log *log;
    struct km_events *events;
    struct km_metrics *metrics; /* NULL: nothing is counted */
    const char *state_dir; /* logs of servers are below it; copied */
    bool network; /* the gateway listens beyond this machine */
    const char *cgroup; /* memory of children is bounded below it (sys/cgroup.h); copied; or NULL */
    size_t desks;
};

struct km_mcp_upstreams *km_mcp_upstreams_new(const struct km_mcp_upstreams_args *args,
                                              struct km_err *err);
/* All desks are gone, and their loops: what was left to end is counted here until then. */
struct km_mcp_upstreams *km_mcp_upstreams_free(struct km_mcp_upstreams *ups);
/* The log of each stdio server is opened again before it is written next.  Any thread. */
void km_mcp_upstreams_reopen_logs(struct km_mcp_upstreams *ups);
/* Loads the catalogues that are kept; blocking, before loops run.  Main thread. */
int km_mcp_upstreams_load(struct km_mcp_upstreams *ups, struct km_mcp_set *set,
                          struct km_err *err) KM_MUST_USE;
/* From now on these are the servers: what is new is started, what is gone ends with its last
 * ask.  Main thread; takes a reference. */
void km_mcp_upstreams_use(struct km_mcp_upstreams *ups, struct km_mcp_set *set);
/* The set in force, referenced; any thread. */
struct km_mcp_set *km_mcp_upstreams_set(struct km_mcp_upstreams *ups);

/* What it offers beside tools that is flagged, as km_suspects_json().  Any thread. */
void km_mcp_upstream_suspects(const struct km_mcp_upstream *u, struct km_buf *out);
/* What is remembered of tool definitions; as long as ups. */
struct km_pins *km_mcp_upstreams_pins(struct km_mcp_upstreams *ups);
/* The tools of u are other ones for its clients: all desks hear of it.  Any thread. */
void km_mcp_upstream_tools_changed(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u);

/* By hand; any thread.  stop holds until start (or restart). */
void km_mcp_upstream_start(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u);
void km_mcp_upstream_stop(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u);
void km_mcp_upstream_restart(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u);
/* Somebody has logged in there: what failed for want of that is tried again, and clients hear that
 * lists are others now: this principal's, where each logs in by itself. */
void km_mcp_upstream_logged_in(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u,
                               struct km_str principal);
/* The file a stdio server's standard error goes to; false: it has none. */
bool km_mcp_upstream_log(const struct km_mcp_upstreams *ups, const struct km_mcp_upstream *u,
                         char *out, size_t cap);

/* --- a worker's --- */

struct km_mcp_desk_args {
    struct km_mcp_upstreams *ups;
    size_t index; /* of the worker; each once */
    struct km_loop *loop;
    struct km_mailbox *mailbox; /* of that loop */
    struct km_http_client *client;
};
struct km_mcp_desk *km_mcp_desk_new(const struct km_mcp_desk_args *args, struct km_err *err);
/* No call is under way any more: done comes once, maybe from inside, when servers over HTTP have
 * heard what was cancelled and that their sessions end, or after a second.  Nothing is asked here
 * from then on. */
void km_mcp_desk_close(struct km_mcp_desk *desk, void (*done)(void *ctx), void *ctx);
/* Ends all asks (on_done with CANCELED, from inside), sessions and children.  Its client and loop
 * are still there. */
struct km_mcp_desk *km_mcp_desk_free(struct km_mcp_desk *desk);

/* A list of an upstream has really changed; u NULL: servers came, went or are configured otherwise,
 * so every list may have.  list KM_MCP_LISTS: no list, but its state has, or (u NULL) the set is
 * another one with the same servers.  who: the principal it has changed for alone; empty: whoever
 * may use it.  On the desk's loop. */
typedef void km_mcp_watch_fn(void *ctx, struct km_mcp_upstream *u, enum km_mcp_list list,
                             struct km_str who);

struct km_mcp_watch {
    struct km_list link;
    km_mcp_watch_fn *fn;
    void *ctx;
};
void km_mcp_watch(struct km_mcp_desk *desk, struct km_mcp_watch *watch);
void km_mcp_unwatch(struct km_mcp_watch *watch); /* harmless when it does not watch */

#endif
