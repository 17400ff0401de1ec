/* SPDX-License-Identifier: Apache-2.0 */
/* remote.h - one session with one server, whatever its era and transport; private to mcp/.
 *
 *     opening   server/discover and initialize, in the order that is likelier to succeed
 *     ready     jobs run: each has an id of ours, which is its progress token too
 *     over      it takes no more jobs: its process ended, its session is unknown, it is idle
 *
 *     remote.c         its life, what is sent, what fails
 *     jobs.c    jobs: their life, ids, time-outs, questions
 *     era.c     which era: what is asked, which answers count
 *     open.c    what that says is carried out, and the handshake
 *     in.c      what the server says, and to which job it belongs
 *     questions.c   what it asks
 *     hold.c    jobs that wait before they are sent: for a word of a silent process, for the end of
 *               a rest after a crash
 *     params.c  `_meta` put right on the way out, and header lines of the stateless era
 *
 * A job is an ask (ask.h) on the loop its remote lives on.  Thread: that loop.
 */
#ifndef KM_MCP_REMOTE_H
#define KM_MCP_REMOTE_H

#include "mcp/link/link.h"
#include "mcp/remote/era.h"
#include "mcp/upstream/live.h"

#define KM_REMOTE_BUCKETS 64
#define KM_REMOTE_HELD 16 /* questions that no job can be asked yet */
#define KM_REMOTE_STRAYS 32 /* calls that ended without an answer, by number */
#define KM_REMOTE_GARBAGE 100 /* messages in a row that are none: then it is ended */
#define KM_REMOTE_FLOOD 20000 /* messages of no job's within a second: then it is ended */

struct km_mcp_desk;
struct km_remote;

/* Who kanmon says it is. */
#define KM_MCP_CLIENT_INFO "{\"name\":\"kanmon\",\"version\":\"" KM_VERSION "\"}"

enum km_remote_state { KM_REMOTE_OPENING, KM_REMOTE_READY, KM_REMOTE_OVER };

/* A request of the server to its client. */
struct km_remote_question {
    struct km_list link;
    uint64_t number; /* of ours, for the asker */
    struct km_buf id; /* of the server's, its JSON */
    struct km_buf method, params;
    uint64_t until_ms; /* held: when it is given up */
    bool roams; /* for roots, on no call's stream: any call of the client may be asked it */
};

struct km_job {
    struct km_arena arena; /* it lies in it, and its strings */
    struct km_list link; /* of the remote: waiting, or in a bucket */
    struct km_list order; /* of running jobs, the newest last */
    struct km_remote *remote;
    uint64_t id; /* 0: not sent */
    const struct km_mcp_ask_events *events;
    void *ctx;
    struct km_str method, params, principal, session, log_level, values;
    struct km_str token; /* the asker's progress token, its JSON; empty: none */
    struct km_auth *auth; /* of this asker, where its token is exchanged; referenced; or NULL */
    uint64_t timeout_ms;
    uint64_t first_ms; /* until its first word, where that is another time; 0: it is not */
    uint64_t left_ms; /* of the call's time when it was looked at last; UINT64_MAX: no bound */
    uint64_t looked_ms; /* then; 0: its time stands still */
    bool spoken, answering; /* it was sent; its server has said something of it since */
    struct km_timer timer;
    struct km_deferred later; /* a failure to be told, or hello */
    bool hello; /* the answer is what the server said of itself */
    struct km_err err;
    uint64_t heard_ms; /* sent, or last heard of */
    struct km_rest *rest; /* hold.c; NULL: it never waited for a start */
    struct km_list questions;
    unsigned nquestions, nnotices;
    bool forgotten; /* nobody listens */
    bool again; /* was sent to a session that turned out to be gone */
    bool own; /* of kanmon itself */
    bool unproved, unasked; /* of its failure: see struct km_mcp_answer */
    bool settles; /* it was asked something before it was sent: the answer is being taken up */
};

/* A call that was given up: its server may be at work on it still, and ask. */
struct km_stray {
    uint64_t id;
    uint64_t whose; /* km_job_whose() */
};

struct km_remote {
    struct km_list link; /* of the desk */
    struct km_mcp_desk *desk;
    struct km_mcp_upstream *upstream;
    uint8_t key[KM_MCP_KEY];
    uint8_t own[KM_MCP_KEY], base[KM_MCP_KEY]; /* of its lists (asker.h) */
    struct km_arena arena; /* the asker's strings */
    struct km_mcp_asker asker;
    struct km_auth *auth; /* the upstream's, or of the newest asker; referenced; NULL: none */
    struct km_link *wire;
    enum km_remote_state state;
    struct km_era era; /* while opening */
    bool listed; /* it was asked for them when it was ready */
    bool unproved; /* it is over, because its asker could not prove itself */
    bool asked; /* its askers are: km_asker_asked() */
    bool remembered; /* the era is what it was last time: nothing was asked */
    bool sse; /* the link is HTTP+SSE in place of Streamable HTTP */
    bool introducing; /* notifications/initialized is on its way */
    bool answered; /* it has said something */
    bool hurries; /* no call waits for level_id: no answer came in time, or it takes no more jobs */
    bool wants_listen; /* somebody subscribed before it was ready */
    bool stuck; /* it gave no sign in time (sign_id), and has answered nothing since */
    bool hasty; /* what waits is sent, whatever it says */
    uint64_t introduced_id; /* of a ping behind it, on stdio; 0: none */
    uint64_t settle_id; /* of a ping behind an answer to a question; 0: none */
    unsigned settle_pings; /* that are to follow that one */
    uint64_t bound; /* it knows this client's roots; 0: nobody's */
    const struct km_mcp_revision *revision;
    struct km_buf hello; /* the result of initialize or server/discover */
    unsigned log_level; /* as last set there; 0: none was */
    uint64_t level_id; /* of logging/setLevel, while calls wait for its answer; else 0 */
    unsigned users; /* callers that used it: 0, 1, 2 for more */
    struct km_str user; /* the principal of the first */
    uint64_t probe_id, opening_id; /* of server/discover, of initialize; 0: none is awaited */
    uint64_t asked_ms, until_ms; /* when that was read, as far as is known; when it is too late */
    struct km_deferred relink; /* another link is to take its place */
    uint64_t next_id;
    uint64_t next_question;
    struct km_list waiting; /* jobs that are not sent yet */
    struct km_list running[KM_REMOTE_BUCKETS]; /* by id */
    struct km_list order;
    size_t njobs;
    struct km_list held; /* questions */
    size_t nheld;
    struct km_stray strays[KM_REMOTE_STRAYS];
    unsigned nstrays; /* one more than there is room for: of anybody */
    struct km_timer timer; /* of the opening; then of subscriptions/listen, or of level_id */
    struct km_job *listening; /* subscriptions/listen; NULL: none */
    unsigned listens; /* how often it had to be opened anew */
    struct km_deferred end; /* it is to be freed */
    struct km_err why;
    uint64_t idle_since_ms; /* njobs is 0 */
    uint64_t answered_ms; /* it answered something, or was sent the first request it is at */
    uint64_t sign_id; /* of a ping whose answer jobs wait for; 0: none do */
    struct km_timer quiet; /* until they wait for it no longer */
    uint64_t last; /* km_job_whose() of the session that used it last; 0: none has */
    unsigned garbage;
    uint64_t flood_at_ms;
    unsigned flood;
};

struct km_remote_args {
    struct km_mcp_desk *desk;
    struct km_mcp_upstream *upstream;
    const struct km_mcp_asker *asker;
    const uint8_t *key;
};

/* remote.c */
struct km_remote *km_remote_new(const struct km_remote_args *args, struct km_err *err);
/* Its jobs fail with why; it frees itself a moment later. */
void km_remote_over(struct km_remote *p, const struct km_err *why);
/* It takes no more jobs and ends with the last that runs. */
void km_remote_retire(struct km_remote *p);
/* At once; jobs are told CANCELED. */
void km_remote_free(struct km_remote *p);

/* A message on its link, which takes the text: a request's by its id, else 0; head: more header
 * lines.  j: who asks; NULL: kanmon itself. */
void km_remote_transmit(struct km_remote *p, uint64_t id, struct km_str method, struct km_buf *text,
                        struct km_str head, const struct km_job *j);

/* jobs.c */
struct km_job_args {
    const struct km_mcp_ask_args *ask;
    bool own;
};
/* A number for a client's session; 0 where it has none. */
uint64_t km_job_whose(struct km_str principal, struct km_str session);
/* Hands it to a remote of the desk, an existing one or a new one.  NULL: no memory; every other
 * failure is told by on_done. */
struct km_job *km_job_start(struct km_mcp_desk *desk, const struct km_job_args *args,
                            struct km_err *err);
void km_job_answer(struct km_job *j, uint64_t question, bool is_error, struct km_str json);
void km_job_note(struct km_job *j, struct km_str method, struct km_str params);
void km_job_cancel(struct km_job *j, struct km_str reason);
void km_job_forget(struct km_job *j);

/* It could not be opened: that is told of the server, or of its asker alone; and it is over. */
void km_remote_fail(struct km_remote *p, const struct km_err *err);
/* Is what its credentials meet its asker's own affair, and no word about the server? */
bool km_remote_of_asker(const struct km_remote *p);
/* A job of the remote's own that is never late and does not keep it from being idle; or NULL. */
struct km_job *km_remote_listen(struct km_remote *p, struct km_str params,
                                const struct km_mcp_ask_events *events);
/* Its session says what its clients can be asked. */
bool km_remote_declares(const struct km_remote *p);
/* Somebody is to hear of changes by this one. */
bool km_remote_keeps(const struct km_remote *p);
/* Nothing runs in it but what it does for itself. */
bool km_remote_idle(const struct km_remote *p);
/* Into the remote's queue, and out of all its lists. */
void km_job_hook(struct km_remote *p, struct km_job *j);
void km_job_unhook(struct km_job *j);
/* Do they belong to one client?  Without a session nobody knows. */
bool km_job_same(const struct km_job *j, struct km_str principal, struct km_str session);
/* Sends what waits. */
void km_remote_run(struct km_remote *p);
void km_remote_notify(struct km_remote *p, struct km_str method, struct km_str params);
/* An answer to a question of the server: result or error, as JSON. */
void km_remote_reply(struct km_remote *p, struct km_str id, bool is_error, struct km_str json);
struct km_job *km_remote_job(struct km_remote *p, uint64_t id);
/* Tells its asker and frees it. */
void km_job_done(struct km_job *j, const struct km_mcp_answer *answer);
void km_job_fail(struct km_job *j, const struct km_err *err, bool maybe_executed);
/* It was heard of: its time begins anew. */
void km_job_heard(struct km_job *j);
/* Asks the job's asker; takes q. */
void km_job_ask(struct km_job *j, struct km_remote_question *q);
void km_remote_question_free(struct km_remote_question *q);

/* hold.c: stdio only. */
void km_hold_init(struct km_remote *p);
void km_hold_end(struct km_remote *p); /* it takes no more jobs, or is freed */
void km_hold_sent(struct km_remote *p, struct km_job *j);
void km_hold_answered(struct km_remote *p); /* it said the answer to something */
/* Is it to wait for a sign of the process?  Others wait there in silence. */
bool km_hold_waits(struct km_remote *p, const struct km_job *j);
/* Is a call of another client than this one silent there for too long, or is it stuck? */
bool km_hold_avoid(const struct km_remote *p, const struct km_mcp_asker *asker);
/* The server crashed and rests, err says so: false: it fails with err; true: it waits. */
bool km_hold_rest(struct km_mcp_desk *d, struct km_job *j, struct km_mcp_upstream *u,
                  const struct km_mcp_asker *asker, const uint8_t key[KM_MCP_KEY],
                  const struct km_err *err);
/* The same for one that waited in a remote whose process ended for that reason. */
bool km_hold_outlives(struct km_remote *p, struct km_job *j, const struct km_err *why);
bool km_hold_rested(struct km_job *j); /* its timer: true: it was one that rests */
void km_hold_end_all(struct km_mcp_desk *d);

/* open.c */
int km_remote_open(struct km_remote *p, struct km_err *err) KM_MUST_USE;
void km_remote_up(struct km_remote *p); /* its link is */
/* What initialize says, appended. */
void km_remote_greeting(const struct km_remote *p, struct km_buf *out);
/* The answer to discover or initialize, by its id; or none. */
void km_remote_opened(struct km_remote *p, uint64_t id, const struct km_rpc_message *m);
/* Its asker cannot prove itself; the server serves others as before.  heard: it said so itself. */
void km_remote_turn_away(struct km_remote *p, const struct km_err *err, bool heard);
void km_remote_open_failed(struct km_remote *p, uint64_t id, const struct km_link_failure *f);
void km_remote_introduced(struct km_remote *p); /* its server has heard of that */
/* It refused a request.  Where that was server/discover, and it was not asked what it speaks, it is
 * not what it was: it takes no more jobs, and the next remote asks. */
void km_remote_doubt(struct km_remote *p, struct km_str method);
void km_remote_open_timeout(struct km_remote *p);

extern const struct km_link_events km_remote_events; /* of remote.c */

/* in.c: one message of the server. */
void km_remote_message_in(struct km_remote *p, uint64_t about, struct km_str text);

/* questions.c: a request of the server, its id as JSON; about: as in link.h. */
void km_remote_question(struct km_remote *p, uint64_t about, struct km_str id, struct km_str method,
                        struct km_str params);
/* Jobs that run and are not kanmon's own. */
size_t km_remote_callers(const struct km_remote *p);
/* The job is given up, and its server told so. */
void km_remote_gave_up(struct km_remote *p, const struct km_job *j);
/* It answered all the same: it asks nothing for that one any more. */
void km_remote_late(struct km_remote *p, uint64_t id);
/* A question that no call of a client can be asked yet, kept for the next; takes q. */
void km_remote_hold(struct km_remote *p, struct km_remote_question *q);
/* What is kept is asked of the call that runs. */
void km_remote_ask_held(struct km_remote *p);
/* Where none does, the question for roots is asked of the call that is to be sent next. */
void km_remote_ask_next(struct km_remote *p);
/* The job is over: what it was asked may be asked of another. */
void km_remote_ask_others(struct km_remote *p, struct km_job *j);
/* The server is told this client's roots.  Clients without a session are told apart by who they
 * are, and by nothing else. */
void km_remote_bind(struct km_remote *p, const struct km_job *j);
/* Is it another client whose roots it has?  Whatever it does is meant for those. */
bool km_remote_others(const struct km_remote *p, struct km_str principal, struct km_str session);
/* A job that waits was answered what it was asked: it is sent when the server has had time to take
 * that up (ping's answer is behind it). */
void km_remote_settle(struct km_remote *p, struct km_job *j);
void km_remote_settled(struct km_remote *p);
/* Could it still ask for a call that another client has given up? */
bool km_remote_haunted(const struct km_remote *p, struct km_str principal, struct km_str session);

/* params.c */
/* The message of a request.  *ret_token: the asker's progress token, its JSON in params. */
void km_remote_message(const struct km_remote *p, uint64_t id, struct km_str method,
                       struct km_str params, struct km_str log_level, struct km_buf *out,
                       struct km_str *ret_token);
/* Mcp-Method, Mcp-Name, Mcp-Param-*; nothing in the handshake era. */
void km_remote_head(const struct km_remote *p, struct km_str method, struct km_str params,
                    struct km_buf *head);

#endif
