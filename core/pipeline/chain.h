/*
 * core/pipeline/chain.h - source -> stages -> sink, a thread for each, joined by rings.
 *
 * A stage says that it succeeded only when its part is whole: it ends its outgoing ring then, and never otherwise.
 * So a sink that sees a clean end knows that everything before it has succeeded, and may commit.
 * The first failure wins: it is kept with its stage's name, fails every ring and cancels every other stage.
 */
#ifndef BO_PIPELINE_CHAIN_H
#define BO_PIPELINE_CHAIN_H

#include <stdatomic.h>

#include "core/base/sha256.h"
#include "core/pipeline/ring.h"
#include "core/plugin/host.h"

#define BO_CHAIN_MAX_STAGES 4 /* source, compress, encrypt, sink */

/* Bytes and hash of what passes one point. Written by the stage's thread; `bytes` may be read by any. */
struct bo_meter {
  atomic_uint_fast64_t bytes;
  bool hashing; /* set before the start; without it only bytes are counted */
  struct bo_sha256 sha256;
  char sha256_text[BO_SHA256_TEXT_MAX]; /* "" until the end */
};

struct bo_stage {
  const char *name; /* "command", "compress", "encrypt", "storage", ...: what messages call it */
  /* In its own thread. Reads `in`, writes `out` (NULL for the source's in and the sink's out) and returns BO_OK when
   * its part is whole, with everything published but `out` not yet ended. Fails with an error; when a ring that has
   * failed is the only reason, the error may be empty. */
  int (*run)(struct bo_stage *stage, struct bo_error *error);
  /* Any thread, once, when the chain has failed: makes blocking calls of `run` return soon. May be NULL. */
  void (*cancel)(struct bo_stage *stage);
  struct bo_plugin_host *host; /* of its plugin's instance, for the watchdog; NULL for none */

  /* Filled by the chain. */
  struct bo_chain *chain;
  struct bo_ring *in;
  struct bo_ring *out;
  pthread_t thread;
  bool started;
  bool succeeded; /* `run` returned BO_OK; to be read once it has returned */
  atomic_bool returned;
};

struct bo_chain {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct bo_stage *stages[BO_CHAIN_MAX_STAGES];
  unsigned stage_count;
  struct bo_ring rings[BO_CHAIN_MAX_STAGES - 1];
  unsigned running;
  bool failed;
  struct bo_error error;    /* the first failure */
  const char *failed_stage; /* its stage's name */
};

void bo_chain_init(struct bo_chain *chain);
/* In order. The stage is the caller's and lives until bo_chain_destroy. */
void bo_chain_add(struct bo_chain *chain, struct bo_stage *stage);

/* Starts all threads. On failure none runs. */
int bo_chain_start(struct bo_chain *chain, struct bo_error *error);

/* Any thread. Notes a failure from outside or inside: only the first counts. */
void bo_chain_fail(struct bo_chain *chain, const char *stage_name, const struct bo_error *error);

/* Waits at most `timeout_ms` for all stages to return. True when they have. */
bool bo_chain_wait(struct bo_chain *chain, uint64_t timeout_ms);

/* True when the last stage has returned BO_OK: with that everything before it has succeeded, and a failure that came in
 * from outside later changes nothing. All stages have returned. */
bool bo_chain_sink_succeeded(const struct bo_chain *chain);

/* True when it has failed; then *error and *stage_name (either may be NULL) say why. Any thread. */
bool bo_chain_has_failed(struct bo_chain *chain, struct bo_error *error, const char **stage_name);

/* A stage whose plugin call has lasted longer than `limit_ms`, or NULL. *function names the call. */
struct bo_stage *bo_chain_stuck_stage(struct bo_chain *chain, uint64_t limit_ms, const char **function);

/* Joins the threads (all have returned) and frees the rings. */
void bo_chain_destroy(struct bo_chain *chain);

/* What every sink does: takes all that its ring brings through the meter and gives it to `put`, and finishes the meter.
 * BO_OK only at the ring's clean end, never when the ring has failed. */
int bo_stage_drain(struct bo_stage *stage, struct bo_meter *meter,
                   int (*put)(void *context, const unsigned char *bytes, size_t size, struct bo_error *error),
                   void *context, struct bo_error *error);

/* Meters: open before the start, add in the stage's thread, finish at the clean end, close always. */
int bo_meter_open(struct bo_meter *meter, bool hashing, struct bo_error *error);
int bo_meter_add(struct bo_meter *meter, const void *bytes, size_t size, struct bo_error *error);
int bo_meter_finish(struct bo_meter *meter, struct bo_error *error);
void bo_meter_close(struct bo_meter *meter);

#endif
