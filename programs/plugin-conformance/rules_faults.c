/* rules_faults.c - what fails around a plugin: memory, randomness, descriptors, writes; signals, cancelling, clocks. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "core/base/clock.h"
#include "programs/plugin-conformance/session.h"
#include "programs/plugin-conformance/store.h"

#define SOON_S 5 /* how long "soon" may take, on a machine that is busy */

/* ---- FLT-001, FLT-002: memory ---- */

struct failure {
  unsigned long number; /* of the allocation */
  bool failed;          /* the session did */
  const char *function;
  struct bo_error error;
  size_t live_blocks; /* after the close */
};

/* A session in which the `number`-th allocation fails. False when it had fewer. */
static bool fail_allocation(const struct conf *conf, unsigned long number, struct failure *failure) {
  struct conf_session session;
  int result = BO_OK;
  conf_session_open(&session, conf, NULL);
  conf_host_fail_at(&session.host, (long)number);
  while (result == BO_OK)
    result = conf_session_step(&session);
  bool reached = session.host.failed;
  *failure = (struct failure){number, result == BO_ERROR, session.function, session.error, 0};
  conf_session_abandon(&session);
  failure->live_blocks = session.host.live_blocks;
  conf_session_close(&session);
  return reached;
}

static void no_memory(struct conf *conf) {
  struct failure failure;
  for (unsigned long number = 1; fail_allocation(conf, number, &failure); number++)
    CONF_HOLDS(!failure.failed || failure.error.error_class == BO_CLASS_NO_MEMORY,
               "when allocation %lu fails, %s() fails with the class %d, not no-memory: %s", number, failure.function,
               failure.error.error_class, failure.error.text);
}

static void no_memory_leaves_nothing(struct conf *conf) {
  struct failure failure;
  conf_session_once(conf);
  unsigned descriptors = conf_count_descriptors();
  for (unsigned long number = 1; fail_allocation(conf, number, &failure); number++) {
    CONF_HOLDS(failure.live_blocks == 0, "when allocation %lu fails, in %s(), %zu blocks of memory are never freed",
               number, failure.function, failure.live_blocks);
    unsigned now = conf_count_descriptors();
    CONF_HOLDS(now <= descriptors, "when allocation %lu fails, in %s(), %u descriptors stay open", number,
               failure.function, now - descriptors);
  }
}

/* ---- FLT-003: randomness ---- */

static void no_randomness(struct conf *conf) {
  struct conf_session session;
  conf_session_open(&session, conf, NULL);
  atomic_store(&session.host.no_random, true);
  for (int result = BO_OK; result == BO_OK;) {
    unsigned refused = atomic_load(&session.host.random_refused);
    result = conf_session_step(&session);
    CONF_HOLDS(result == BO_ERROR || atomic_load(&session.host.random_refused) == refused,
               "the host had no randomness to give, and %s() succeeded all the same", session.function);
  }
  conf_session_close(&session);
}

/* ---- FLT-004, FLT-005: cancel ---- */

static void must_be_cancelled(struct conf_store *store, const char *function, int result, uint64_t began_ms) {
  uint64_t took_ms = bo_monotonic_ms() - began_ms;
  CONF_HOLDS(result != BO_OK, "after cancel(), %s() succeeds", function);
  CONF_HOLDS(store->error.error_class == BO_CLASS_CANCELLED,
             "after cancel(), %s() fails with the class %d, not "
             "cancelled: %s",
             function, store->error.error_class, store->error.text);
  CONF_HOLDS(took_ms < SOON_S * 1000, "after cancel(), %s() took %llu ms", function, (unsigned long long)took_ms);
}

#define CANCELLED(store, name, ...)                                                       \
  do {                                                                                    \
    uint64_t began_ms_ = bo_monotonic_ms();                                               \
    must_be_cancelled((store), #name, CONF_STORE((store), name, __VA_ARGS__), began_ms_); \
  } while (0)

static int ignore_key(void *context, const char *key, const struct bo_object *object) {
  (void)context, (void)key, (void)object;
  return 0;
}

static void cancelled_calls_fail(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_put_options options = {.header = BO_HEADER(struct bo_put_options), .size_hint_bytes = -1};
  struct bo_object object = {.size = sizeof(object)};
  struct bo_token tokens[3];
  void *puts[2], *get = NULL, *unwanted = NULL;
  char byte = 0;
  size_t size = 0;
  int more = 0;
  uint64_t count = 0;
  conf_must_open(&store, conf);
  conf_must_put(&store, key.text, "x", 1, NULL);
  for (int i = 0; i < 2; i++)
    conf_must_begin(&store, conf_key(conf, "other").text, "x", 1, &tokens[i], &puts[i]);
  CONF_HOLDS(CONF_STORE(&store, get_open, store.instance, key.text, 0, NULL, &object, &get) == BO_OK,
             "get_open() failed: %s", store.error.text);
  conf_at("cancel");
  for (int i = 0; i < 3; i++)
    store.operations->cancel(store.instance);
  conf_at(NULL);
  CANCELLED(&store, probe, store.instance, BO_PROBE_READ);
  CANCELLED(&store, put_open, store.instance, key.text, &options, &tokens[2], &unwanted);
  CANCELLED(&store, put_write, puts[0], "x", 1);
  CANCELLED(&store, put_commit, puts[1], &object);
  CANCELLED(&store, get_open, store.instance, key.text, 0, NULL, &object, &unwanted);
  CANCELLED(&store, get_read, get, &byte, 1, &size);
  CANCELLED(&store, stat, store.instance, key.text, &object);
  CANCELLED(&store, list, store.instance, "", NULL, 10, ignore_key, NULL, &more);
  CANCELLED(&store, remove, store.instance, key.text, NULL);
  CANCELLED(&store, sweep, store.instance, conf->prefix, 0, &count);
  conf_store_close(&store);
}

static void abort_after_cancel(struct conf *conf) {
  struct conf_store store, other;
  struct conf_key key = conf_key(conf, "object");
  struct bo_token tokens[2];
  void *puts[2];
  uint64_t count = 0;
  conf_must_open(&other, conf);
  conf_must_begin(&other, key.text, "x", 1, &tokens[0], &puts[0]);
  conf_must_open(&store, conf);
  conf_must_begin(&store, key.text, "x", 1, &tokens[1], &puts[1]);
  conf_at("cancel");
  store.operations->cancel(store.instance);
  conf_at(NULL);
  CONF_HOLDS(CONF_STORE(&store, put_close, puts[1]) == BO_OK, "after cancel(), an abort fails: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, discard, store.instance, key.text, tokens[0].text) == BO_OK,
             "after cancel(), a discard fails: %s", store.error.text);
  (void)CONF_STORE(&other, put_close, puts[0]);
  CONF_HOLDS(CONF_STORE(&other, sweep, other.instance, conf->prefix, 0, &count) == BO_OK && count == 0,
             "after cancel(), an abort and a discard, a sweep still ended %llu puts", (unsigned long long)count);
  conf_must_be_absent(&other, key.text, "after cancel() and an abort");
  conf_store_close(&store);
  conf_store_close(&other);
}

struct canceller {
  struct conf_store *store;
  unsigned seen;
};

static void *call_cancel(void *context) {
  const struct conf_store *store = context;
  store->operations->cancel(store->instance);
  return NULL;
}

/* Inside of a running list(): another thread cancels, and this one waits for it. */
static int cancel_from_elsewhere(void *context, const char *key, const struct bo_object *object) {
  struct canceller *canceller = context;
  (void)key, (void)object;
  if (canceller->seen++ > 0) return 0;
  pthread_t thread;
  struct timespec deadline;
  (void)clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += SOON_S;
  if (pthread_create(&thread, NULL, call_cancel, canceller->store) != 0) conf_skip("no thread can be started");
  CONF_HOLDS(pthread_timedjoin_np(thread, NULL, &deadline) == 0,
             "cancel() from another thread waits for the call that is running (a list)");
  return 0;
}

static void cancels_a_running_call(struct conf *conf) {
  enum { OBJECTS = 20 };
  struct conf_store store;
  struct canceller canceller = {.store = &store};
  int more = 0;
  conf_must_open(&store, conf);
  for (int i = 0; i < OBJECTS; i++) {
    char name[16];
    (void)snprintf(name, sizeof(name), "object-%d", i);
    conf_must_put(&store, conf_key(conf, name).text, "x", 1, NULL);
  }
  int result =
      CONF_STORE(&store, list, store.instance, conf->prefix, NULL, 1000, cancel_from_elsewhere, &canceller, &more);
  CONF_HOLDS(result != BO_OK, "a list() that was cancelled after the first of %d objects gave %u, and BO_OK", OBJECTS,
             canceller.seen);
  CONF_HOLDS(store.error.error_class == BO_CLASS_CANCELLED,
             "a list() that was cancelled fails with the class %d, not cancelled: %s", store.error.error_class,
             store.error.text);
  conf_store_close(&store);
}

/* ---- FLT-007, FLT-008: clocks and signals ---- */

static void clock_leaps(struct conf *conf) {
  struct conf_session session;
  conf_session_open(&session, conf, NULL);
  for (int result = BO_OK; result == BO_OK;) {
    atomic_fetch_add(&session.host.leap_ns, UINT64_C(3600) * 1000000000);
    result = conf_session_step(&session);
    CONF_HOLDS(result != BO_ERROR, "after the clock went on by an hour between two calls, %s() failed: %s",
               session.function, session.error.text);
  }
  conf_session_close(&session);
}

static void do_nothing(int signal) {
  (void)signal;
}

static void interrupted_calls(struct conf *conf) {
  struct sigaction action = {.sa_handler = do_nothing}; /* without SA_RESTART */
  struct itimerval every = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
  (void)sigaction(SIGALRM, &action, NULL);
  for (int i = 0; i < 5; i++) {
    struct conf_session session;
    int result = BO_OK;
    conf_session_open(&session, conf, NULL);
    (void)setitimer(ITIMER_REAL, &every, NULL);
    while (result == BO_OK)
      result = conf_session_step(&session);
    (void)setitimer(ITIMER_REAL, &never, NULL);
    CONF_HOLDS(result == BO_DONE, "while signals came in, %s() failed: %s", session.function, session.error.text);
    conf_session_close(&session);
  }
}

/* ---- FLT-009, FLT-010: writes and descriptors ---- */

static void short_writes(struct conf *conf) {
  enum { BYTES = 1000000, PIECE = 300000, LIMIT = 65536 };
  static unsigned char bytes[BYTES];
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_object object = {.size = sizeof(object)};
  struct bo_token token;
  struct rlimit limit;
  void *put = NULL;
  conf_noise(bytes, sizeof(bytes), 3);
  conf_must_open(&store, conf);
  conf_must_begin(&store, key.text, NULL, 0, &token, &put);
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0) conf_skip("there is no limit of the size of files");
  struct rlimit small = {.rlim_cur = LIMIT, .rlim_max = limit.rlim_max};
  (void)setrlimit(RLIMIT_FSIZE, &small);
  int result = BO_OK;
  for (size_t position = 0; result == BO_OK && position < sizeof(bytes); position += PIECE) {
    size_t left = sizeof(bytes) - position;
    result = CONF_STORE(&store, put_write, put, bytes + position, left < PIECE ? left : PIECE);
  }
  if (result == BO_OK) result = CONF_STORE(&store, put_commit, put, &object);
  (void)CONF_STORE(&store, put_close, put);
  (void)setrlimit(RLIMIT_FSIZE, &limit);
  if (result == BO_OK)
    conf_must_be(&store, key.text, bytes, sizeof(bytes), "stored while files may have 64 KiB");
  else
    conf_must_be_absent(&store, key.text, "after a put that failed because files may have 64 KiB");
  conf_store_close(&store);
}

/* A session in which there are only `extra` descriptors to be had. True when it succeeded all the same. */
static bool with_few_descriptors(const struct conf *conf, unsigned extra, unsigned used) {
  struct conf_session session;
  struct rlimit limit, small;
  int result = BO_OK;
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  conf_session_open(&session, conf, NULL);
  small = (struct rlimit){.rlim_cur = used + extra, .rlim_max = limit.rlim_max};
  (void)setrlimit(RLIMIT_NOFILE, &small);
  while (result == BO_OK)
    result = conf_session_step(&session);
  conf_session_abandon(&session);
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  if (result == BO_ERROR)
    CONF_HOLDS(session.error.error_class > BO_CLASS_NONE, "with %u descriptors, %s() fails without a class", extra,
               session.function);
  unsigned now = conf_count_descriptors();
  CONF_HOLDS(now <= used, "with %u descriptors, %s() fails, and after close %u stay open", extra, session.function,
             now - used);
  conf_session_close(&session);
  return result == BO_DONE;
}

static void few_descriptors(struct conf *conf) {
  enum { MOST = 64 };
  conf_session_once(conf);
  unsigned used = conf_count_descriptors();
  unsigned extra = 0;
  while (extra < MOST && !with_few_descriptors(conf, extra, used))
    extra++;
  CONF_HOLDS(extra < MOST, "with %d descriptors to be had, a session does not succeed", MOST);
}

const struct conf_rule conf_fault_rules[] = {
    {.id = "FLT-001",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "Whichever allocation fails, the call fails with the class no-memory, or succeeds without it.",
     .why = "A run's memory is limited, so host->alloc does give NULL one day; a crash then tells nobody why.",
     .mend = "Compare each result of alloc and realloc with NULL, and end with BO_CLASS_NO_MEMORY.",
     .run = no_memory},
    {.id = "FLT-002",
     .kinds = CONF_ANY,
     .after = "LIF-004",
     .sentence =
         "A call that fails for want of memory leaves nothing behind once the instance is closed; a failed open "
         "leaves nothing at all.",
     .why = "After a failed open nobody calls close.",
     .mend = "Let open put away what it has made, by the same function as close, on each of its failing paths.",
     .run = no_memory_leaves_nothing},
    {.id = "FLT-003",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "When the host has no randomness to give, the call that asked for it fails.",
     .why = "A key, a nonce or a token that was not random is the same the next time.",
     .mend = "Compare the result of host->random with 0, and fail.",
     .run = no_randomness},
    {.id = "FLT-004",
     .kinds = CONF_STORAGE,
     .after = "LIF-001",
     .sentence = "After cancel every call but close, abort and discard fails soon, with the class cancelled.",
     .why = "A user who cancels a run waits for it; and the class tells that it was no fault of the storage.",
     .mend = "Set an atomic flag in cancel, and look at it at the beginning of each call and in each wait.",
     .run = cancelled_calls_fail},
    {.id = "FLT-005",
     .kinds = CONF_STORAGE,
     .after = "STO-009",
     .sentence = "After cancel an abort and a discard still do their work.",
     .why = "Cancelling is when there is something to undo.",
     .mend = "Do not look at the flag in put_close and discard.",
     .run = abort_after_cancel},
    {.id = "FLT-006",
     .kinds = CONF_STORAGE,
     .after = "FLT-004",
     .sentence = "cancel from another thread returns while a call is running, and ends that call.",
     .why = "It is there for the call that takes for ever.",
     .mend = "Take no lock in cancel that a call holds while it works or waits.",
     .run = cancels_a_running_call},
    {.id = "FLT-007",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "Any time may pass between two calls.",
     .why = "The command that makes the data may think for an hour; a machine may be suspended.",
     .mend = "Deadlines are the host's. Where a connection was closed meanwhile, make a new one.",
     .run = clock_leaps},
    {.id = "FLT-008",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "Signals that come in during a call make no difference (EINTR).",
     .why = "The host's process has timers and children, and their signals.",
     .mend = "Repeat a call that was interrupted, with the time that is left.",
     .run = interrupted_calls},
    {.id = "FLT-009",
     .kinds = CONF_STORAGE,
     .after = "STO-006",
     .sentence = "When writes are cut short or refused, the put fails, or the object is whole all the same.",
     .why = "A disk that fills up takes a part of a write first.",
     .mend = "Repeat write until everything is taken or it fails; compare the size in the commit.",
     .run = short_writes},
    {.id = "FLT-010",
     .kinds = CONF_ANY,
     .after = "LIF-004",
     .sentence = "When descriptors run out, calls fail with a class and leave none open.",
     .why = "A process has a thousand of them, and others use them, too.",
     .mend = "Compare each descriptor with -1, and close what was opened before on the failing path.",
     .run = few_descriptors},
    {.id = NULL},
};
