/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.h - the running program: what is shared, and one worker a core.
 *
 *     struct km_gateway ── owns ── store, keys, metrics, log, events, body budget
 *          │                       the current snapshot (swapped by reload)
 *          └── workers[] ── own ── loop, DNS, pools, HTTP client and server, ledger
 *
 * Fields say which thread may touch them.  What workers share is atomic, locked inside, or
 * immutable; everything else of a worker belongs to its loop's thread.
 */
#ifndef KM_HOST_GATEWAY_H
#define KM_HOST_GATEWAY_H

#include <pthread.h>

#include "base/event.h"
#include "host/listening.h"
#include "host/revoke.h"
#include "host/snapshot.h"
#include "http/client.h"
#include "policy/account.h"
#include "store/ledger.h"
#include "sys/cgroup.h"
#include "sys/listener.h"

#define KM_WORKERS_MAX 64
#define KM_GATEWAY_LOG "kanmon.log"

struct km_gateway;
struct km_worker;
struct km_handover;
struct km_takeover;
struct km_call_hooks;
struct km_module;
struct km_slots;
struct km_authenticator;
struct km_gateway_budget;

/* A worker's hold on the snapshot: counted without atomics by the calls of that worker. */
struct km_view {
    struct km_snapshot *snap;
    size_t refs;
};

struct km_tls_listener {
    const struct km_listen_entry *entry;
    struct km_tls_server *tls; /* NULL: plain; replaced by reload on the worker's thread */
};

struct km_listener {
    struct km_worker *worker;
    struct km_acceptor *acceptor;
    size_t entry; /* which entry of kanmon_settings.listen */
    int fd;
};

struct km_worker {
    struct km_gateway *gw;
    size_t index;
    pthread_t thread;
    bool running; /* its thread was started */
    struct km_mailbox *mailbox; /* any thread posts */
    _Atomic size_t load; /* client connections, about; any thread reads */
    /* --- the loop's thread only --- */
    struct km_loop *loop;
    struct km_dns *dns;
    struct km_dialer *dialer;
    struct km_pool *pool;
    struct km_series *upstreams_idle, *upstreams_lent; /* what the pool holds */
    struct km_series *nameless_ok; /* answered calls of no model */
    struct km_http_client *client;
    struct km_http_server *server;
    struct km_http_server *control; /* the Unix socket's; worker 0 only */
    struct km_acceptor *control_acceptor;
    struct km_ledger *ledger;
    struct km_mcp_desk *desk; /* its MCP servers */
    struct km_listener listeners[KM_LISTEN_MAX];
    size_t nlisteners;
    struct km_tls_server **tls; /* by entry of listen; NULL: plain */
    size_t ntls;
    struct km_view *view;
    struct km_slots *slots; /* what modules keep here: host/module.h */
    struct km_list calls; /* running calls */
    size_t ncalls;
    size_t nasks; /* of permits, whose answers have not come: call/broker.h */
    struct km_buf scratch; /* for one callback: never kept across */
    uint64_t rng;
    bool draining;
    size_t servers_left; /* killed: servers whose last exchange has not ended */
    struct km_timer quiet; /* killed: asks whether anything is still under way */
    bool frozen; /* another process holds the counters, or is about to: see handover/handover.h */
    void (*pass_on)(void *ctx, int fd); /* draining: NULL closes */
    void *pass_ctx;
    struct km_msg freeze, thaw, stop;
    struct km_timer tick; /* each second: counts, and memory that is not used any more */
    struct km_timer revoke_tick;
    struct km_revoke revoke; /* host/revoke.h */
};

/* What takes requests: the HTTP servers' callbacks, whose ctx is the worker (http/server.h). */
struct km_door {
    void (*on_request)(void *worker, struct km_exchange *x);
    void (*on_local)(void *worker, struct km_exchange *x); /* by the control socket */
    /* The body of what the server refuses by itself. */
    void (*on_error)(void *worker, const struct km_err *err, struct km_str path,
                     struct km_buf *out);
};

struct km_gateway_args {
    const struct km_config *config; /* a reference is taken */
    const struct km_settings_table *const *tables;
    const struct km_config_flag *flags; /* given again to every reload; must outlive */
    size_t nflags;
    struct km_listen_flags listen; /* the same */
    const char *config_path; /* of the file, absolute: how everybody else would call it */
    const struct km_route_rows *const *routes;
    const struct km_mcp_builtin *const *builtins;
    const struct km_door *door;
    const struct km_call_hooks *hooks; /* call/hooks.h */
    const struct km_module *const *modules; /* host/module.h; NULL ends */
    const struct km_authenticator *const *authenticators; /* door/auth.h; NULL ends */
    bool network; /* an address beyond this machine is among those it listens on */
    const char *state_dir;
    /* The process that keeps this one running; 0: none.  Then standard output and standard error
     * are the log's file too, which is KM_GATEWAY_LOG in the state folder without a log_file. */
    long supervisor;
    /* Taking over from a running gateway: asked when all that needs no store is made. */
    struct km_takeover *takeover; /* NULL: nobody runs; else the gateway's once it goes */
    /* Locks the state folder (and may find that there is nobody to take over from); may be NULL. */
    int (*before_store)(void *ctx, struct km_err *err);
    void (*on_log)(void *ctx, const char *path); /* a reload has opened it; may be NULL */
    void *ctx;
};

/* Where workers stand still for a moment. */
struct km_gate {
    pthread_mutex_t lock;
    pthread_cond_t turned;
    size_t arrived;
    bool open;
};

struct km_gateway {
    const struct km_gateway_args *args; /* immutable after start */
    char state_dir[512];
    char config_file[4096]; /* as it was given */
    union km_addr places[KM_LISTEN_MAX]; /* where it listens, each once; immutable after start */
    size_t nplaces;
    struct km_log *log;
    char log_path[1100]; /* where it goes; empty: standard error.  Main thread */
    struct km_veil *veil; /* of errors and logs: call/veil.h; locked inside */
    struct km_events *events;
    struct km_metrics *metrics;
    struct km_store *store;
    struct km_keys *keys;
    struct km_accounts *accounts; /* teams, users, ... : who else a call pays for */
    struct km_gateway_budget *budget; /* of all calls together; NULL: none */
    struct km_paces *paces; /* what is learnt of deployments; locked inside */
    struct km_gates *gates; /* lines of calls that wait; locked inside */
    struct km_store_books books; /* how the store tells them */
    struct km_slots *slots; /* what modules keep of it: host/module.h */
    struct km_cgroup_have memory; /* how the memory of stdio servers is bounded */
    struct km_added *mcp_added; /* servers beside the file's (host/added.h); main thread */
    struct km_added *models_added; /* likewise models */
    struct km_mcp_upstreams *mcp; /* the servers behind; locked inside */
    struct km_body_budget bodies;
    _Atomic int64_t connections;
    int64_t started_us;
    struct km_worker *workers;
    size_t nworkers;
    struct km_loop *main; /* the main thread's loop: signals, reload */
    struct km_mailbox *main_mailbox;
    _Atomic size_t workers_left; /* still draining */
    _Atomic size_t workers_busy; /* km_gateway_free(): something of theirs is under way */
    struct km_msg ended; /* to main_mailbox when none is */
    _Atomic size_t adopted; /* connections taken over: spreads them */
    struct km_msg stopped; /* to main_mailbox when the last worker has drained */
    void (*on_stopped)(void *ctx); /* main thread: every worker has stopped */
    void *ctx;
    _Atomic size_t accepting; /* workers that still hold listening sockets */
    struct km_msg quiet; /* to main_mailbox when none does */
    void (*on_quiet)(void *ctx); /* main thread: the sockets may be closed */
    void *quiet_ctx;
    struct km_snapshot *current; /* main thread only; workers hold views */
    struct km_list reloads; /* who asked for the next one; main thread */
    struct km_deferred reload_work;
    bool ending; /* km_gateway_free() */
    struct km_gate gate;
    struct km_handover *handover; /* to the one after; NULL: none can come */
    struct km_takeover *takeover; /* from the one before; NULL: there was none */
};

/* Where log_file is: a relative name is beside the configuration file.  False: it is not set.  Any
 * thread. */
bool km_gateway_log_path(const struct km_gateway_settings *s, const char *config_file, char *ret,
                         size_t cap);
/* Opens it, or opens it again.  Main thread. */
int km_gateway_open_log(struct km_gateway *gw, const struct km_gateway_settings *s,
                        struct km_err *err) KM_MUST_USE;
/* How many workers the settings ask for, on this machine. */
int km_gateway_workers(const struct km_gateway_settings *s, size_t *ret_n,
                       struct km_err *err) KM_MUST_USE;

/* Opens the store, loads keys, makes the workers (not yet running).  Blocking, main thread. */
int km_gateway_new(const struct km_gateway_args *args, struct km_loop *main_loop,
                   struct km_gateway **ret_gw, struct km_err *err) KM_MUST_USE;
/* Takes sockets, each of an entry of listen (what it is says that entry: TLS or not); workers
 * adopt them in turn, so that with at least one an entry none is without an acceptor. */
int km_gateway_listen(struct km_gateway *gw, const int *fds, const size_t *entries, size_t nfds,
                      struct km_err *err) KM_MUST_USE;
/* The control socket (already listening), or -1.  Its peers are told by their address: family
 * AF_UNIX, the uid in the place of the IPv4 address. */
int km_gateway_control(struct km_gateway *gw, int fd, struct km_err *err) KM_MUST_USE;
int km_gateway_start(struct km_gateway *gw, struct km_err *err) KM_MUST_USE;

/* Loads the file anew and swaps, or changes nothing and says why.  Logs are opened again in any
 * case.  Main thread; blocking for the time of reading.  diags gets everything that is to be
 * said. */
int km_gateway_reload(struct km_gateway *gw, struct km_diags *diags,
                      struct km_err *err) KM_MUST_USE;

/* Opens the gateway's log and those of MCP servers again, as reload does.  Main thread. */
void km_gateway_reopen_logs(struct km_gateway *gw);

/* Adds, replaces or (json empty) removes what stands beside the file's, of gw->mcp_added or
 * gw->models_added, by such a load; on failure nothing has changed.  Main thread; blocking as
 * that. */
int km_gateway_change_added(struct km_gateway *gw, struct km_added *list, struct km_str name,
                            struct km_str json, struct km_err *err) KM_MUST_USE;

/* reload.c: settings of `config` that are not what this process was started with and take effect
 * after a restart, one a line, appended.  Any thread. */
void km_gateway_waits(const struct km_gateway *gw, const struct km_config *config,
                      struct km_buf *out_names);

/* The same soon, once for all who ask before it begins: their callbacks are called
 * from it, each once.  Main thread. */
struct km_reload {
    struct km_list link;
    /* diags may be NULL; version: of the configuration that is in force. */
    void (*done)(struct km_reload *r, int result, uint64_t version, const struct km_diags *diags,
                 const struct km_err *err);
};
void km_gateway_reload_soon(struct km_gateway *gw, struct km_reload *r); /* NULL: nobody waits */
/* For km_gateway_new() and km_gateway_free(). */
void km_gateway_reload_init(struct km_gateway *gw);
void km_gateway_reload_done(struct km_gateway *gw);

/* Stops accepting, lets running calls end (at most drain), then on_stopped.  pass_on gets idle
 * descriptors of plain connections (any worker's thread); NULL closes them. */
void km_gateway_stop(struct km_gateway *gw, void (*pass_on)(void *ctx, int fd),
                     void (*on_stopped)(void *ctx), void *ctx);
/* Hand-over, its own thread: workers pause accepting and stand still; on return all do.  Then
 * either they go on, frozen (what they admit is asked of another process), or that ends too. */
void km_gateway_freeze(struct km_gateway *gw);
void km_gateway_go_on(struct km_gateway *gw);
void km_gateway_thaw(struct km_gateway *gw);
/* A connection somebody passed on (hand-over). Any thread. */
void km_gateway_adopt(struct km_gateway *gw, int fd, const union km_addr *peer);
struct km_gateway *km_gateway_free(struct km_gateway *gw);

/* --- for handlers --- */

struct km_view *km_view_ref(struct km_view *v); /* its worker's thread */
void km_view_unref(struct km_view *v);

#endif
