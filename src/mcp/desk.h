/* SPDX-License-Identifier: Apache-2.0 */
/* desk.h - a worker's remotes, and what all desks of the gateway share; private to mcp/.
 *
 * Thread: a desk's loop, but for what is said to be posted from any.
 */
#ifndef KM_MCP_DESK_H
#define KM_MCP_DESK_H

#include "mcp/remote/remote.h"
#include "sys/cgroup.h"

#define KM_DESKS_MOST 64
#define KM_MCP_CHILDREN_MOST 64 /* stdio servers of the process */
#define KM_MCP_SPAWN_MS 50 /* between two starts of processes ... */
#define KM_MCP_SPAWN_BURST 16 /* ... after so many at once */

struct km_mcp_upstreams {
    struct km_store *store;
    struct km_log *log;
    struct km_events *events;
    bool network; /* see struct km_mcp_upstreams_args */
    struct km_metrics *metrics;
    struct km_pins *pins;
    struct km_log_writer *log_writer; /* of the logs of stdio servers */
    char state_dir[512];
    char cgroup[KM_CGROUP_PATH]; /* see struct km_mcp_upstreams_args */
    pthread_mutex_t lock; /* of set and desks */
    struct km_mcp_set *set;
    struct km_mcp_desk *desks[KM_DESKS_MOST]; /* NULL: not there (any more) */
    size_t ndesks;
    _Atomic unsigned children; /* that are used, or may be */
    _Atomic unsigned living; /* those, and the ones on their way out */
    uint64_t spawn_ms; /* monotonic: when the starts so far are paid off; under the lock */
};

struct km_mcp_desk {
    struct km_mcp_upstreams *ups;
    size_t index;
    struct km_loop *loop;
    struct km_mailbox *mailbox;
    struct km_http_client *client;
    struct km_mcp_set *set; /* in force here */
    struct km_list remotes;
    struct km_list watches; /* of struct km_mcp_watch */
    struct km_list waits; /* of struct km_mcp_wait */
    struct km_list resting; /* of struct km_job: remote/hold.c */
    struct km_list refreshes; /* of struct km_refresh_lists */
    struct km_list subscriptions;
    struct km_list hearings; /* hear.c */
    size_t nhearings;
    struct km_list relays; /* asks whose server is at home elsewhere */
    size_t nsubscriptions;
    size_t nasks;
    struct km_timer tick; /* idle, health, new tries */
    bool ending;
    bool parted; /* close.c: sessions over HTTP have taken leave */
    uint64_t close_ms; /* when that is waited for no more */
    struct km_timer closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
    km_msg_fn *relayed; /* relay.c: a message between desks is here */
};

/* A remote for this asker: one that is there, or a new one. */
int km_desk_remote(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                   const struct km_mcp_asker *asker, const uint8_t key[KM_MCP_KEY],
                   struct km_remote **ret_remote, struct km_err *err) KM_MUST_USE;
/* Is that why there is none what the asker sent, or has not, or how many log-ins there are? */
bool km_desk_is_askers(const struct km_err *err);

/* One that is there for that key and not silent, whoever works in it; NULL: none. */
struct km_remote *km_desk_standing(struct km_mcp_desk *d, const struct km_mcp_upstream *u,
                                   const uint8_t key[KM_MCP_KEY]);
/* Does it speak with its server as this asker wants to, and for no other client?  One of both eras
 * is spoken to in both. */
bool km_desk_suits(const struct km_remote *p, const struct km_mcp_asker *asker);

/* May it have another process? */
bool km_desk_room(const struct km_mcp_desk *d, const struct km_mcp_upstream *u);
/* upkeep.c: the desk is ctx; starts its timer again. */
void km_desk_tick(void *ctx);

/* The set in force is another; takes the reference. */
void km_desk_use(struct km_mcp_desk *d, struct km_mcp_set *set);

/* u while it is configured; then what took its place at this desk, by its name; NULL: nothing did,
 * or others may use it than before. */
struct km_mcp_upstream *km_desk_now(const struct km_mcp_desk *d, struct km_mcp_upstream *u);

/* Any thread.  The desk that looks after an upstream: health, lists without an asker. */
bool km_desk_home(const struct km_mcp_desk *d, const struct km_mcp_upstream *u);

/* How long the next start of a process has to wait, which is counted as started.  Any thread. */
uint64_t km_desk_spawn_delay(struct km_mcp_upstreams *ups);

/* Whoever watches at this desk hears it (km_mcp_watch_fn).  On its loop. */
void km_desk_tell(struct km_mcp_desk *d, struct km_mcp_upstream *u, enum km_mcp_list list,
                  struct km_str who);
/* Every desk hears that lists (a bit each) or the state of u have changed; who: as of
 * km_mcp_watch_fn, of the lists.  Any thread. */
void km_desks_changed(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u, unsigned lists,
                      bool state, struct km_str who);
/* Every desk has the sessions of u that declare something asked again: its base is another one.
 * Any thread. */
void km_desks_own_again(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u);
/* The state is another one: told, logged, an event. */
void km_desk_state(struct km_mcp_desk *d, struct km_mcp_upstream *u, enum km_mcp_state state,
                   const char *why);
/* As km_mcp_live_failed(), and told. */
void km_desk_failed(struct km_mcp_desk *d, struct km_mcp_upstream *u, const char *why);
void km_desk_ok(struct km_mcp_desk *d, struct km_mcp_upstream *u);
/* As km_desk_ok(): the remote's server answered a request. */
void km_desk_answered(struct km_remote *p);

/* refresh.c: asks for all lists of what this asker is shown; the variant was marked. */
struct km_refresh_args {
    struct km_mcp_upstream *upstream;
    const struct km_mcp_asker *asker; /* NULL: nobody */
    const uint8_t *key; /* of the variant */
    bool own; /* the asker's capabilities are declared; else those of nobody */
    bool standing; /* only a session that is there is asked: none is begun for it */
    uint64_t after_ms;
};
void km_refresh_begin(struct km_mcp_desk *d, const struct km_refresh_args *args);
/* It is ready: its kind is asked for its lists where that is due, for they may be others than those
 * of the process or session before. */
void km_refresh_ready(struct km_remote *p);
/* It says that a list has changed. */
void km_refresh_changed(struct km_remote *p);
/* Sessions here that declare something are asked what they list beside a base that changed. */
void km_refresh_own_all(struct km_mcp_desk *d, struct km_mcp_upstream *u);
void km_refresh_end_all(struct km_mcp_desk *d);
/* catalogue/keep.c: writes what is known now into the store, if it is another than before. */
void km_catalogue_keep(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                       const uint8_t key[KM_MCP_KEY], bool changed);
/* safety/pin_look.c: compares a server's tools with what they were, looks at what else it offers,
 * and says what is new.  desk: whose worker; SIZE_MAX: before there are any.  key: of whoever is
 * shown this (asker.h); all zeros: everybody is.  declared: what the session's clients declare they
 * can be asked; or empty. */
void km_catalogue_look(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u,
                       const struct km_mcp_catalogue *c, size_t desk, const uint8_t key[KM_MCP_KEY],
                       struct km_str declared);
/* ask.c */
void km_waits_look(struct km_mcp_desk *d);
void km_waits_end_all(struct km_mcp_desk *d);
/* hear.c: a log message that belongs to no request. */
void km_hear_said(struct km_remote *p, struct km_str params);
void km_hearings_follow(struct km_mcp_desk *d); /* the set is another one */
/* The level to set there for somebody who wants this one (0: none), and for all who hear. */
unsigned km_hear_level(const struct km_remote *p, unsigned level);
/* Tells the server that level, by its word or empty, if it is another one than before. */
void km_remote_level(struct km_remote *p, struct km_str level);
/* The same for a job that wants it; true: it has to wait for the server's answer. */
bool km_hear_waits(struct km_remote *p, struct km_str level);
void km_hear_leveled(struct km_remote *p, uint64_t id); /* this request was answered, or failed */
void km_hear_hurry(struct km_remote *p); /* nothing waits for that from here on */
/* listen.c: notifications/subscriptions/acknowledged; about: of which request, 0: params say. */
void km_listening_acknowledged(struct km_remote *p, uint64_t about, struct km_str params);
/* subscribe.c */
void km_subscriptions_updated(struct km_remote *p, struct km_str params);
void km_subscriptions_renew(struct km_remote *p);
void km_subscriptions_follow(struct km_mcp_desk *d); /* the set is another one */
void km_subscriptions_end_all(struct km_mcp_desk *d);

#endif
