/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - one call through the gateway: a question to a model, a tool's call, a pass-through.
 *
 * call.c holds the table of steps; the kinds of call differ only in struct km_call_kind.  A call
 * lives in its own arena, belongs to one worker, and is gone after its finish step.
 */
#ifndef KM_CALL_CALL_H
#define KM_CALL_CALL_H

#include "call/attempt.h"
#include "call/broker.h"
#include "host/port.h"
#include "host/visit.h"
#include "llm/api/openai.h"
#include "llm/fallback.h"
#include "policy/queue.h"
#include "policy/route_rule.h"

#define KM_CALL_MAGIC 0x4b43414cU /* "KCAL" */
#define KM_CALL_SLICE 2048 /* tokens of output that a stream reserves at a time */

struct km_call;
struct km_call_run; /* run.h */
struct km_execution; /* policy/execution.h */
struct km_intake; /* intake.c */
struct km_resume; /* resume.h */

/* Does what failed get another attempt? */
enum km_call_retry {
    KM_CALL_RETRY_NO,
    KM_CALL_RETRY_NOW, /* at a deployment that was not tried */
    KM_CALL_RETRY_PAUSED, /* km_call_resume() follows when the wait is over */
};

/* Models that a caller names for the time when the one it asks for fails; v NULL: nothing is said,
 * n 0: none is to be asked. */
struct km_own_fallbacks {
    struct km_fallback_list any, context, policy;
};

/* What the kinds of call do differently.  The steps ask for nothing else: a kind that needs
 * something new of them adds a row here and says it there. */
struct km_call_kind {
    const char *name;
    const char *call_type; /* in the books, of a call of no API, or the gateway's own */
    const char *work_name; /* whose call->work is; NULL: it has none */
    bool needs_body;
    bool session; /* its answer is a connection (101), its parts have rows of their own */
    bool own; /* the gateway asks for its own ends: no limit of the key's holds, but it pays */
    /* It is made of calls of their own (ask.h), which have rows and pay: it has the key's place
     * among calls that run at once, and nothing else. */
    bool outer;
    bool placed; /* where it goes was said with it: no deployment is picked */
    bool verbatim; /* bodies are the caller's own: no deployment's defaults come in */
    bool any_status; /* whatever its upstream answers goes to the client, a refusal too */
    /* The same deployment may be asked once more: the worst that comes of it is a second answer.
     * What an account keeps (a file, a batch) would be there twice. */
    bool repeats;
    bool falls_back; /* another model group may be asked in the place of one that failed */
    bool refers; /* its body may name what an account keeps, by id */
    bool lines; /* the bodies it judges are lines of a file */
    bool raw; /* what it sends on may have members that are the gateway's own */
    /* Instead of the body whole: reads what the kind needs of it.  KM_E_AGAIN: km_call_resume()
     * follows, and then it is asked again.  NULL: the body. */
    int (*take)(struct km_call *call, struct km_err *err);
    /* A piece of a body that take asked for (km_call_take_pieces), when it has passed the units of
     * the request; it dies with the callback, or with the call. */
    void (*on_piece)(struct km_call *call, struct km_str bytes, bool last,
                     const struct km_err *err);
    /* The request is here: read it, find who may serve it. */
    int (*prepare)(struct km_call *call, struct km_err *err);
    /* call->reserve: what is reserved before it is sent.  NULL: of an LLM call by its tokens, else
     * what prepare said. */
    int (*reserve)(struct km_call *call, struct km_err *err);
    /* What would happen to it, as JSON (dry.h); why: code 0, or what it would be refused with, of
     * which the route may be the first to know.  NULL: of this kind nobody can tell. */
    int (*explain)(struct km_call *call, struct km_err *why, struct km_buf *out,
                   struct km_err *err);
    /* A deployment was picked: fill call->at->out, or answer at once (call->answered).  KM_E_AGAIN:
     * something must be had first; km_call_resume() follows, and then it is asked again. */
    int (*attempt)(struct km_call *call, struct km_err *err);
    /* The upstream takes more of a request whose body comes in pieces. */
    void (*on_room)(struct km_call *call);
    /* Has something of the request left that cannot be had again?  NULL: never. */
    bool (*is_spent)(const struct km_call *call);
    /* A good head came from the upstream: start the answer, or gather it. */
    void (*on_head)(struct km_call *call, const struct km_response *response);
    /* Bytes of a good answer that is relayed as it comes (call->at->relaying). */
    int (*on_body)(struct km_call *call, const char *bytes, size_t n, struct km_err *err);
    /* An event of it that has passed the units of the attempt (km_call_fetched); of kinds that
     * take on_body's bytes apart. */
    int (*on_event)(struct km_call *call, const struct km_piece *event, struct km_err *err);
    /* What the client gets of an event of which only the delta is known, in its own dialect. */
    int (*encode)(struct km_call *call, const struct km_chat_event *delta, struct km_buf *out,
                  struct km_err *err);
    /* The upstream ended as it should.  KM_E_AGAIN: call->at->out is the next request of the same
     * attempt; or, with call->held, km_call_resume() follows and it is asked again. */
    int (*complete)(struct km_call *call, struct km_err *err);
    /* The client takes more again, after a km_call_write() that said no. */
    void (*on_writable)(struct km_call *call);
    /* All that km_http_write() took has left; after a 101. */
    void (*on_drain)(struct km_call *call);
    /* The attempt is over: gives back what the kind made for it, if anything. */
    void (*forget)(struct km_call *call);
    /* Ends a stream early, because its money is spent or its upstream goes on past its bound: says,
     * by the way its answer goes, what ends it as one whose output came to its bound.  From then on
     * nothing of its upstream is passed on, `complete` finds it complete, `usage` is what was told,
     * and `last` has the end of a whole one.  told: what the client is told of its use.  From
     * callbacks of the loop, never from within on_body or on_event; the attempt is the caller's to
     * give up.  KM_E_AGAIN: not before more of the answer has come.  KM_E_UNSUPPORTED: it can but
     * break.  NULL: never. */
    int (*cut_short)(struct km_call *call, const struct km_usage *told, struct km_err *err);
    /* Has its client had the last event that says something?  Whoever leaves then was served.
     * NULL: only the upstream's end says so. */
    bool (*told_all)(const struct km_call *call);
    /* What was used so far: what was reported, once that is final, else an estimate. */
    void (*usage)(struct km_call *call, struct km_usage *ret);
    /* What was reported cannot be: `usage` is asked again, and says what was heard.  NULL: its
     * reports are taken as they are. */
    void (*doubt)(struct km_call *call);
    /* What it cost where that hangs on no usage; false: on usage.  sent: an upstream may have
     * served it. */
    bool (*cost)(const struct km_call *call, bool sent, int64_t *ret_cost);
    /* The last bytes of a stream that is complete, or that broke (call->cut), behind what it was
     * given.  true: its reader sees by them how it ended.  NULL: the API's own. */
    bool (*last)(struct km_call *call, struct km_buf *out);
    /* Ends the exchange in a way of its own; false: as every call does.  NULL: never. */
    bool (*reply)(struct km_call *call);
    /* A record of its own, after the settlement and before the answer: true: km_call_resume()
     * comes when it is written, and it is asked again.  Nobody waits for that of one that was
     * refused (!call->admitted).  NULL: none. */
    bool (*record)(struct km_call *call);
    void (*leave)(struct km_call *call); /* the worker drains: sessions end soon */
    /* Its key was revoked while it was answered: tell the client. */
    void (*on_revoked)(struct km_call *call, const struct km_err *why);
    /* How logs, books and metrics call it where it names no model, and where it goes.  NULL: no
     * name. */
    struct km_str (*label)(const struct km_call *call);
    struct km_str (*base)(const struct km_call *call);
    /* Its deployment only lends credentials: the model's own name and price count.  NULL: no. */
    bool (*is_lent)(const struct km_call *call);
    /* Counts it by names of its own, beside what is counted of every call; also of one that was
     * refused (!call->admitted).  NULL: it has none. */
    void (*count)(struct km_call *call);
    /* Members of its log line. */
    void (*log)(struct km_call *call, struct km_line *line);
    /* --- of kinds that are not HTTP to HTTP; NULL otherwise --- */
    /* Of one that goes where it was told to: does what failed get another attempt, there or
     * elsewhere, and when?  Where it does, the kind is ready for it.  NULL: never. */
    enum km_call_retry (*again)(struct km_call *call);
    /* Instead of an HTTP request upstream: WAIT, or the next step. */
    enum km_next (*send)(struct km_call *call);
    /* What km_call_intend() made it wait for is written.  NULL: km_call_resume(). */
    void (*intended)(struct km_call *call);
    /* Stops what send began; harmless when nothing is under way. */
    void (*abandon)(struct km_call *call);
    /* Says in the books what was called. */
    void (*books)(struct km_call *call, struct km_ledger_entry *e);
};

struct km_call {
    uint32_t magic;
    enum km_step_id step;
    int status; /* what the last wait ended with */
    struct km_arena arena; /* holds the call itself */
    struct km_list link; /* of worker->calls */
    struct km_worker *w;
    struct km_visit *visit;
    struct km_port *port; /* its other end; NULL: nobody, or a way of its kind's own */
    const struct km_call_kind *kind;

    /* the request */
    const struct km_request *request; /* its line and head; NULL: it came by no HTTP */
    const struct km_llm_api *api; /* LLM calls */
    void *work; /* its kind's: km_call_work() */
    struct km_call_note *notes; /* of what is not its kind: km_call_note() */
    struct km_call_waiter *waiters; /* km_call_when_over() */
    uint64_t began_ns; /* monotonic */
    struct km_intake *intake; /* units it goes through (intake.c); NULL: none */
    struct km_str body; /* what has passed them */
    struct km_llm_request req; /* its model: of the group that is asked */
    struct km_model_match match;
    struct km_execution *execution; /* how it is to be carried out (execution.h); NULL: not said */
    struct km_resume *resume; /* its stream goes on where it breaks (resume.h); NULL: it does not */
    struct km_str session; /* as its kind heard it; empty: what its request says (session.h) */
    struct km_call_run *run; /* what it is part of; NULL: nothing bounds such (run.h) */
    struct km_own_fallbacks own_fallbacks; /* its caller's */
    const struct km_route_rule *rule; /* that led it there; NULL: none did */
    struct km_str economy; /* what cost decided (economy.h) */
    struct km_str end_user, named_user; /* that its head named (caller.h); empty: not read yet,
                                         * or none */
    struct km_str asked_model; /* what its caller asked for, once another is asked */
    unsigned fallbacks; /* groups that were asked in the place of the first */
    unsigned followers; /* groups that wait for their turn */

    /* admission */
    struct km_hold hold; /* of its key */
    int64_t reserve; /* nano-USD: what its attempts have cost, and what those under way may */
    int64_t each; /* the part of it that an attempt begins with */
    struct km_price_worst worst; /* what is reserved by */
    int64_t input_tokens; /* that go in, by estimate, where most do */
    int64_t reserve_input; /* tokens that go in, of each; 0: not counted so */
    int64_t reserve_output; /* tokens that come out, of each, to begin with; 0: not counted so */
    enum km_priority priority, asked_priority; /* priority.h; UNSAID: not looked for yet */
    uint64_t queued_ms; /* in lines, of all its attempts */
    bool maximum_named; /* its upstream refused that bound, and said what its largest is */
    struct km_lesson lesson; /* of its last refusal */
    bool slices; /* more is reserved while it writes (money.h) */
    bool unbound; /* no bound of its output is sent: it may be longer than is known */
    int64_t said_output; /* tokens an answer may have, as its caller said; -1: not said */
    int64_t most_output; /* tokens that may come out of it at all; -1: nobody knows a bound */
    int64_t bound_tokens; /* output bound sent because of a budget; -1 none */
    bool have_body; /* it was given */
    struct km_named_price *named_price; /* price.c's; NULL: none is asked for by name yet */
    bool priced; /* what it uses has a price: reserved before, settled after */
    bool bounded; /* its output cannot be bounded for the caller */
    bool prepared; /* what it asks for and may cost is known */
    bool needs_yes; /* a person's, before it is done: no hook answers it */
    bool refused; /* the broker answered later, and err says why not */
    bool admitted; /* permit taken: account must settle */
    bool intent; /* written: an upstream may have its request */
    bool unbooked; /* the ledger would not take its intent: it gets no row */
    bool settled; /* account did its work */
    bool revoked; /* its key was: it was told to end */
    bool held; /* the books, or what works in its arena, call back: nothing moves before */

    /* attempts */
    struct km_attempt *at; /* the one under way, or the last; of several the one that an event is
                            * about, or that is being made; never NULL */
    struct km_attempt *beside; /* the others that are under way; NULL: none */
    struct km_attempt *newest; /* its `before` are all there were */
    struct km_attempt first;
    struct km_route_state route;
    unsigned retries; /* most further attempts */
    unsigned nsent; /* attempts whose requests were about to leave */
    struct km_timer *pause; /* runs before the next one is made; NULL: none does */
    bool alone; /* its request is put together with no other's any more */
    bool covering; /* the broker is being asked for one more, or for more of this one */
    bool covered; /* it said yes to a further one: recover.c */
    bool timed_out;
    struct km_timer deadline;

    /* the answer */
    struct km_chain deliver; /* to the client: write.c */
    const struct km_piece *head; /* what has passed it and leaves with what follows; NULL: none */
    struct km_buf batch; /* what has passed it, of one read */
    const struct km_err *unsaid; /* why a unit let nothing more pass; NULL: it does */
    struct km_str *parts; /* what the client gets, where it lies ready */
    size_t nparts;
    bool joined; /* the program's units */
    bool says; /* some of them before the dialect: it is a unit as well */
    bool started, ended; /* its head has passed; its end, or what stands for one */
    bool full; /* the client takes no more for now */
    bool stands; /* the step waits until no unit does */
    bool replied;
    bool dry; /* parts are what would happen: nothing was done (dry.h) */
    bool answered; /* parts are ready without an upstream (mock) */
    bool streaming; /* the client's head was sent */
    bool opaque; /* what streams is no event stream: nothing of ours may come in between */
    bool client_gone;
    bool cut; /* the stream broke: end it so that the client knows */
    bool failed; /* err says why */

    /* books */
    struct km_usage usage;
    const struct km_price *price; /* what its kind found to be the price; NULL: the deployment's */
    int64_t cost;
    unsigned flags; /* enum km_call_flag */
    int client_status;
    int64_t start_us, first_us; /* wall */
    uint64_t upstream_ns; /* of all attempts */
    uint64_t total_ns; /* the call's, when it was settled */
    uint64_t first_ns; /* first byte for the client, since the start */

    struct km_err err; /* the last: a new call has the rest zeroed, and of this no text */
};

extern const struct km_module km_calls_module; /* of the worker: calls.c */

/* The worker drains. */
void km_calls_leave(struct km_worker *w);
/* The same in steps, for a kind that fills it in between.  NULL: no memory. */
struct km_call *km_call_new(struct km_worker *w, const struct km_call_kind *kind, size_t bytes);
void km_call_start(struct km_call *call);
/* Begins a call for a visit with an exchange, whose port it takes over; api: NULL where the kind
 * has none.  port NULL: there was no memory for one. */
void km_call_begin(struct km_visit *v, struct km_port *port, const struct km_call_kind *kind,
                   const struct km_llm_api *api);
/* Once it was read it is of another kind, with that kind's work: at `prepared` only.  No deployment
 * is asked for it. */
void km_call_become(struct km_call *call, const struct km_call_kind *kind, void *work);
void km_call_drop(struct km_call *call); /* it was never started */
/* From outside the steps: nobody wants it any more.  Moves nothing while books are written. */
void km_call_cancel(struct km_call *call, const char *why);
/* Its key may not be used any more: it ends with why. */
void km_call_revoke(struct km_call *call, const struct km_err *why);

/* Whose call it is and where its answer goes; the port tells the call from now on. */
void km_call_take_port(struct km_call *call, struct km_visit *v, struct km_port *port);
/* Of the arena of a call with a body: a tree of JSON is a few times its text, and the answer is
 * held beside it. */
size_t km_call_arena_bytes(const struct km_snapshot *snap);

/* Its kind's send came to a good end: the answer is complete, or was given as it came.  From
 * callbacks of the loop only. */
void km_call_served(struct km_call *call);
/* When it is to be over, as km_loop_now_ms(); 0: not said yet. */
uint64_t km_call_deadline_ms(const struct km_call *call);
/* A wait is over: status 0 or negative.  From callbacks of the loop only, never from a step. */
void km_call_resume(struct km_call *call, int status);
/* As resume, with the reason. */
void km_call_fail(struct km_call *call, const struct km_err *err);

/* --- what hangs on a call --- */

/* Its kind's own, in its arena; NULL: not made yet.  It is an error to ask a call of another kind
 * for it: `kind` and its siblings (one module's) have the same `work_name`. */
void *km_call_work(const struct km_call *call, const char *work_name);
void km_call_set_work(struct km_call *call, void *work);

/* What somebody who is not the kind keeps with a call: zeroed, in its arena, one for each tag (the
 * address of something static of the asker's).  note: NULL where there is none; make: NULL where
 * there is no memory. */
void *km_call_note(const struct km_call *call, const void *tag);
void *km_call_make_note(struct km_call *call, const void *tag, size_t size);
/* Whoever waits for something to resume the call with says how that is called off: let_go(data)
 * runs once, when the call comes to its books or to its end, however it came there (it was
 * cancelled, ran out of time, its key was revoked, all went well).  From then on nothing may resume
 * it.  KM_E_NOMEM: it never runs. */
int km_call_when_over(struct km_call *call, void (*let_go)(void *data), void *data,
                      struct km_err *err) KM_MUST_USE;
void km_call_let_go(struct km_call *call); /* call.c: runs them */
/* A hook waits: the time of the call runs from here, if it does not yet. */
void km_call_time_runs(struct km_call *call);

/* --- the steps' parts, by file --- */

/* Does a model write the answer?  A body that is no API's of ours says nothing of that. */
static inline bool km_call_writes(const struct km_call *call)
{
    return !call->req.api || (call->req.api->wire & KM_WIRES_WRITE);
}

/* payers.c: who pays beside its key */
/* Once its model and its caller's names are read: a call that is of an account that may not is
 * refused. */
int km_call_find_payers(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* Another model serves it, before it has its permit. */
int km_call_find_payers_anew(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* Those that its key, its caller and its model name now; in its arena's care. */
int km_call_payers_now(struct km_call *call, struct km_payers **ret,
                       struct km_err *err) KM_MUST_USE;
/* May its key use the model, its accounts, and what its caller named?  As km_key_grants_model(). */
enum km_right km_call_grants_model(struct km_call *call, struct km_str model,
                                   struct km_str alias_of, struct km_err *err) KM_MUST_USE;
/* Is none of those that pay for it blocked, nor its end user? */
bool km_call_payers_go_on(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* Has its key a budget, or one of its accounts, or a target that it may go to? */
bool km_call_has_budget(const struct km_call *call);
const char *km_call_who_has(const struct km_call *call); /* words for an error: who has one */
int64_t km_call_left(const struct km_call *call); /* nano-USD; INT64_MAX without any budget */
static inline struct km_str km_call_payers_text(const struct km_call *call)
{
    return call->hold.payers ? call->hold.payers->text : KM_STR_NONE;
}

/* move.c: who pays moves with the call */
/* Its attempt goes to call->at->d: that one's budgets pay for it from now on.  Again is harmless.
 * KM_E_BUDGET: one of them has not as much left, nothing changed; KM_E_AGAIN: done(call->at)
 * follows, and then it is asked again. */
int km_call_move_payers(struct km_call *call, km_broker_fn *done, struct km_err *err) KM_MUST_USE;
/* It is a call of another group now, with its permit, at the price in call->each.  As
 * km_broker_move(), but it is never answered later: KM_E_UNSUPPORTED. */
int km_call_move_group(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* What is reserved more from now on is so for this attempt; NULL: for none yet. */
void km_call_targets_of(struct km_call *call, const struct km_attempt *at);
/* All attempts are summed: what each of those pays that do not pay for all. */
void km_call_share_out(struct km_call *call);
/* Who pays, as the books have it once that is known. */
struct km_str km_call_payers_books(struct km_call *call);
/* spent.c */
/* The budgets of a deployment and of its provider: how many.  ret[] are referenced. */
size_t km_call_targets(const struct km_call *call, const struct km_deployment *d,
                       struct km_purse *ret[KM_PAYERS_TARGETS]);
bool km_call_reserves(const struct km_call *call); /* or are budgets only asked? */
/* Says of each deployment that is left whether its budgets are spent; how many are not. */
size_t km_call_leave_out_spent(const struct km_call *call, uint8_t *why);
int km_call_all_spent(const struct km_call *call, struct km_err *err); /* KM_E_BUDGET */
/* The one that was picked refused: it is left out from now on.  false: no other can be picked. */
bool km_call_pass_over(struct km_call *call) KM_MUST_USE;
bool km_call_has_spent_target(const struct km_call *call); /* one was left out for its budget */
/* Did it fail because all that it could go to is spent? */
bool km_call_is_target_spent(const struct km_call *call);
/* admit.c */
enum km_next km_step_admit(struct km_call *call);
/* It is to be served by other deployments: call->each, and what of its output is bounded, as they
 * have it.  What is reserved stays. */
int km_call_price_anew(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* price.c */
/* What it costs at a deployment: the deployment's own, or where that serves models it was not
 * configured for, by the model's own name, made in *room. */
const struct km_price *km_call_price(const struct km_call *call, const struct km_deployment *d,
                                     struct km_price *room);
/* The dearest of those that may serve it. */
struct km_price_worst km_call_worst_price(const struct km_call *call, bool *ret_known);
/* A key's budget is not spent by what has no price: that is refused, naming it and its remedy. */
int km_call_judge_priced(const struct km_call *call, struct km_err *err) KM_MUST_USE;
/* No price is known: refused where the key has a budget, as the settings have it. */
int km_call_unpriced(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* intake.c: the request's body, through its units */
/* call->body, whole, where the kind needs one; the error is in call->err.  KM_E_AGAIN:
 * km_call_resume() follows, and then it is asked again. */
int km_call_take_body(struct km_call *call) KM_MUST_USE;
/* What its client gave, whatever units made of it: for an outer call, whose calls within have units
 * of their own. */
struct km_str km_call_given(const struct km_call *call);
/* Instead, as it comes, at most `most` bytes: kind->on_piece follows.  Once. */
int km_call_take_pieces(struct km_call *call, int64_t most, struct km_err *err) KM_MUST_USE;
void km_call_stop_pieces(struct km_call *call); /* none until km_call_more_pieces() */
void km_call_more_pieces(struct km_call *call); /* never gives one itself */
/* Bytes that will come; UINT64_MAX: not known, or units may change how many. */
uint64_t km_call_body_length(const struct km_call *call);
/* From the port. */
void km_call_on_piece(struct km_call *call, struct km_str bytes, bool last,
                      const struct km_err *err);
void km_call_end_intake(struct km_call *call); /* nothing of it is waited for any more */
/* send.c */
void km_call_route_facts(struct km_call *call); /* what its router goes by: call->route */
void km_call_keep_head(struct km_call *call, const struct km_headers *h); /* into ->at->refusal */
/* Milliseconds an attempt may take to begin its answer; 0: as long as the call. */
int64_t km_call_attempt_ms(const struct km_call *call);
/* Milliseconds: its own time, and no more than is left of the call that asks for it. */
uint64_t km_call_time_left(const struct km_call *call);
enum km_next km_step_route(struct km_call *call);
enum km_next km_step_send(struct km_call *call);
/* breakers.c */
/* What the end of an attempt changed (enum km_route_change), for log, events and metrics. */
void km_call_tell_breakers(struct km_call *call, unsigned changes);
void km_call_tell_probe(struct km_call *call); /* the attempt tests one that was left alone */
/* share.c */
/* The attempt's part of the call's time: what its request may take to connect, and to begin to
 * answer, or where its kind reads whole answers, to have answered. */
void km_call_take_share(struct km_call *call, struct km_http_request *out);
void km_call_begun(struct km_call *call); /* the first event of its stream has come */
static inline void km_call_event_came(struct km_call *call)
{
    if (call->at->silent)
        km_call_begun(call);
}
/* retry.c */
/* The attempt failed, and its kind could send once more: does the model group get another one?
 * again: what the upstream's refusal means; elsewhere: another deployment may do better. */
enum km_call_retry km_call_retry(struct km_call *call, enum km_again again,
                                 bool elsewhere) KM_MUST_USE;
/* Bills the attempt, and waits before the next: PAUSED, or NO where there is no memory for it. */
enum km_call_retry km_call_pause(struct km_call *call, uint64_t wait_ms) KM_MUST_USE;
/* Where it draws its waits from has something to begin with. */
void km_call_seed(struct km_call *call);
/* Is the wait over that the step was resumed from?  Once each: any deployment may be picked now. */
bool km_call_pause_over(struct km_call *call) KM_MUST_USE;
enum km_failure km_call_failure(const struct km_call *call); /* what the attempt failed of */
/* fallback.c */
/* The lists of the request, judged like the model it asks for: call->own_fallbacks. */
int km_call_read_fallbacks(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* The groups that follow the one which is asked, after such a failure. */
struct km_fallback_list km_call_followers(struct km_call *call, enum km_failure failure);
/* Nobody else is asked: what was wrong with the request is said by the first who was, not by a
 * follower to whom something else of it may be wrong. */
void km_call_first_word(struct km_call *call, bool passing);
/* Is there a model group that may be asked in the place of this one? */
bool km_call_may_fall_back(const struct km_call *call);
/* No more attempts are made in its group: true: from now on it is a call of the next group, its
 * attempts begin, and what one costs there is in call->each.  false: none is left. */
bool km_call_fall_back(struct km_call *call) KM_MUST_USE;
/* Its key has no more for what it fell back to just now: likewise, with the next.  false: none is
 * left, or it is no such call, and nothing changed. */
bool km_call_fall_further(struct km_call *call) KM_MUST_USE;
/* The budget does not have what the call may cost: from now on it is one of the next model that is
 * to be asked then.  false: none is left. */
bool km_call_spend_elsewhere(struct km_call *call) KM_MUST_USE;
/* recover.c */
enum km_next km_step_recover(struct km_call *call);
void km_call_report(struct km_call *call, enum km_outcome outcome); /* of the attempt */
void km_call_refused(struct km_call *call); /* an error's body is here: call->err from it */
/* money.c, bill.c */
/* The request of this attempt is about to leave: it is reserved for, and the ledger is told of it.
 * KM_E_AGAIN: km_call_resume() follows, then it is asked again.  KM_E_STORE, KM_E_OVERLOADED: the
 * ledger does not take it now, and it must not leave.  Again is harmless. */
int km_call_intend(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* What is reserved before a further attempt: nano-USD, in all. */
int64_t km_call_need(const struct km_call *call);
/* The bound that its codec sends is above its caller's, who did not think of thinking: is that
 * reserved, too?  false: the key has no more for it now. */
bool km_call_cover_bound(struct km_call *call) KM_MUST_USE;
/* n more bytes of the attempt's answer were read.  false: its stream was cut, and the call may be
 * over. */
bool km_call_heard(struct km_call *call, size_t n) KM_MUST_USE;
/* The attempt is over, whatever ended it: what it costs.  Once each; again is harmless. */
void km_call_bill(struct km_call *call);
/* All are over: call->usage, cost and flags. */
void km_call_sum(struct km_call *call);
/* JSON of its attempts, in its arena, where there were several; else empty. */
struct km_str km_call_attempts_json(struct km_call *call);
/* account.c */
enum km_next km_step_account(struct km_call *call);
void km_call_log(struct km_call *call); /* its one line */
/* How it is called: its model, or what its kind calls it; empty: nothing is known yet. */
struct km_str km_call_label(const struct km_call *call);
/* What the books say of it before a deployment is known.  ip[KM_ADDR_TEXT], or NULL: not from
 * where. */
void km_call_name(struct km_call *call, char *ip, struct km_ledger_entry *e);
/* What the books say of it in any row: who, where, which model.  ip[KM_ADDR_TEXT]. */
void km_call_entry(struct km_call *call, struct km_ledger_entry *e, char *ip);
/* fetch.c: what the attempt under way brings; errors end the call, as those of kind->on_body do */
void km_call_fetch_begin(struct km_call *call); /* a good head came */
int km_call_fetch_bytes(struct km_call *call, struct km_str bytes, struct km_err *err) KM_MUST_USE;
int km_call_fetch_end(struct km_call *call, struct km_err *err) KM_MUST_USE; /* all came */
/* write.c: the only place where bytes leave for the client; parts are copied where they wait */
/* For a kind's own units, before the answer is started. */
struct km_chain *km_call_deliver(struct km_call *call);
/* The program's units join, if they have not; starting an answer does it too. */
void km_call_join(struct km_call *call);
/* The head of an answer: from now on no other upstream can be asked. */
void km_call_start_answer(struct km_call *call, int status, struct km_str head, uint64_t length);
/* An event of it, which leaves with the others of this read (km_call_flush). */
void km_call_event(struct km_call *call, struct km_piece *event);
bool km_call_flush(struct km_call *call); /* false: enough for now */
/* A client that takes no more for now pauses the upstream; false: so it was. */
bool km_call_write(struct km_call *call, const struct km_str *parts, size_t n);
void km_call_write_one(struct km_call *call, struct km_str part); /* nothing of an empty one */
void km_call_write_whole(struct km_call *call); /* call->parts */
void km_call_respond(struct km_call *call, int status, struct km_str head, struct km_str body);
void km_call_end_answer(struct km_call *call);
/* What has begun ends as what it is: a stream by the error of its protocol. */
void km_call_end_refused(struct km_call *call);
void km_call_end_stream(struct km_call *call); /* with the kind's last bytes; call->cut: it broke */
void km_call_break_answer(struct km_call *call); /* so that its reader notices */
bool km_call_take_back(struct km_call *call); /* nothing of what was started has left */
/* Does a unit wait?  The step that asks waits as well: it is run again when none does. */
bool km_call_stands(struct km_call *call);
/* A unit lets nothing more pass; the call fails when it is asked next (km_call_heed). */
void km_call_refuse(struct km_call *call, const struct km_err *err);
void km_call_let_flow(struct km_call *call); /* the upstream goes on, or pauses where it must */
/* call.c: what units have said of the pieces that were just given.  From callbacks of the loop:
 * the call may be over when it returns. */
void km_call_heed(struct km_call *call);
void km_call_on_more(void *ctx, const struct km_err *err); /* of both chains */
/* reply.c */
void km_call_reply(struct km_call *call); /* ends the exchange, whatever the outcome */
void km_call_reply_refused(struct km_call *call); /* the same of what a unit did not let pass */
void km_call_head(struct km_call *call, struct km_buf *head);
/* What an API that is passed on has at the end of a stream, whole or broken.  As kind->last. */
bool km_call_last(struct km_call *call, struct km_buf *out);
/* The client's head of a stream: from now on no other upstream can be asked. */
void km_call_stream_start(struct km_call *call);

/* The only place where call->step is written. */
enum km_next km_call_go(struct km_call *call, enum km_step_id to);

/* Is it of a pass-through, whose query is its upstream's alone? */
bool km_pass_is_route(const struct km_route *route);

#endif
