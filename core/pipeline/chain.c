#include "core/pipeline/chain.h"

#include <assert.h>
#include <signal.h>

#include "core/base/wait.h"

/* Enough for a plugin's deep call (zlib and OpenSSL need under 64 KiB); small, since address space is limited. */
#define STAGE_STACK_BYTES ((size_t)512 * 1024)

void bo_chain_init(struct bo_chain *chain) {
  *chain = (struct bo_chain){.error = BO_ERROR_INIT};
  (void)pthread_mutex_init(&chain->lock, NULL);
  (void)bo_wait_init(&chain->changed);
}

void bo_chain_add(struct bo_chain *chain, struct bo_stage *stage) {
  assert(chain->stage_count < BO_CHAIN_MAX_STAGES);
  stage->chain = chain;
  chain->stages[chain->stage_count++] = stage;
}

static void *stage_thread(void *argument) {
  struct bo_stage *stage = argument;
  struct bo_chain *chain = stage->chain;
  struct bo_error error = BO_ERROR_INIT;
  int result = stage->run(stage, &error);
  stage->succeeded = result == BO_OK;
  if (result != BO_OK)
    bo_chain_fail(chain, stage->name, &error);
  else if (stage->out != NULL)
    bo_ring_end(stage->out);
  atomic_store(&stage->returned, true);
  (void)pthread_mutex_lock(&chain->lock);
  chain->running--;
  (void)pthread_cond_broadcast(&chain->changed);
  (void)pthread_mutex_unlock(&chain->lock);
  return NULL;
}

/* Signals are the main thread's business: a stage's thread starts with all of them blocked. */
static int start_stage(struct bo_stage *stage) {
  sigset_t all;
  sigset_t old;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &old);
  pthread_attr_t attributes;
  (void)pthread_attr_init(&attributes);
  (void)pthread_attr_setstacksize(&attributes, STAGE_STACK_BYTES);
  int code = pthread_create(&stage->thread, &attributes, stage_thread, stage);
  (void)pthread_attr_destroy(&attributes);
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  stage->started = code == 0;
  return code;
}

int bo_chain_start(struct bo_chain *chain, struct bo_error *error) {
  assert(chain->stage_count >= 2);
  for (unsigned i = 0; i + 1 < chain->stage_count; i++) {
    int result = bo_ring_init(&chain->rings[i], error);
    if (result != BO_OK) return result;
    chain->stages[i]->out = &chain->rings[i];
    chain->stages[i + 1]->in = &chain->rings[i];
  }
  for (unsigned i = 0; i < chain->stage_count; i++) {
    (void)pthread_mutex_lock(&chain->lock);
    chain->running++;
    (void)pthread_mutex_unlock(&chain->lock);
    int code = start_stage(chain->stages[i]);
    if (code == 0) continue;
    (void)pthread_mutex_lock(&chain->lock);
    chain->running--;
    (void)pthread_mutex_unlock(&chain->lock);
    (void)bo_error_errno(error, code, "starting a thread for %s", chain->stages[i]->name);
    bo_chain_fail(chain, chain->stages[i]->name, error);
    while (!bo_chain_wait(chain, 1000)) {
    }
    return BO_ERROR;
  }
  return BO_OK;
}

void bo_chain_fail(struct bo_chain *chain, const char *stage_name, const struct bo_error *error) {
  (void)pthread_mutex_lock(&chain->lock);
  bool first = !chain->failed;
  if (first) {
    chain->failed = true;
    chain->error = *error;
    chain->failed_stage = stage_name;
    if (chain->error.text[0] == '\0')
      (void)bo_error_set(&chain->error, BO_CLASS_INTERNAL, 0, "it failed without saying why");
    (void)pthread_cond_broadcast(&chain->changed);
  }
  (void)pthread_mutex_unlock(&chain->lock);
  if (!first) return;
  for (unsigned i = 0; i + 1 < chain->stage_count; i++)
    if (chain->rings[i].memory != NULL) bo_ring_fail(&chain->rings[i]);
  for (unsigned i = 0; i < chain->stage_count; i++)
    if (chain->stages[i]->cancel != NULL) chain->stages[i]->cancel(chain->stages[i]);
}

bool bo_chain_wait(struct bo_chain *chain, uint64_t timeout_ms) {
  struct timespec deadline = bo_wait_until(timeout_ms);
  (void)pthread_mutex_lock(&chain->lock);
  bool failed_before = chain->failed;
  int code = 0;
  while (chain->running > 0 && code == 0 && chain->failed == failed_before)
    code = pthread_cond_timedwait(&chain->changed, &chain->lock, &deadline);
  bool all_returned = chain->running == 0;
  (void)pthread_mutex_unlock(&chain->lock);
  return all_returned;
}

bool bo_chain_sink_succeeded(const struct bo_chain *chain) {
  const struct bo_stage *sink = chain->stages[chain->stage_count - 1];
  return atomic_load(&sink->returned) && sink->succeeded;
}

bool bo_chain_has_failed(struct bo_chain *chain, struct bo_error *error, const char **stage_name) {
  (void)pthread_mutex_lock(&chain->lock);
  bool failed = chain->failed;
  if (failed && error != NULL) *error = chain->error;
  if (failed && stage_name != NULL) *stage_name = chain->failed_stage;
  (void)pthread_mutex_unlock(&chain->lock);
  return failed;
}

struct bo_stage *bo_chain_stuck_stage(struct bo_chain *chain, uint64_t limit_ms, const char **function) {
  for (unsigned i = 0; i < chain->stage_count; i++) {
    struct bo_stage *stage = chain->stages[i];
    if (stage->host == NULL || atomic_load(&stage->returned)) continue;
    if (bo_plugin_host_call_ms(stage->host, function) > limit_ms && *function != NULL) return stage;
  }
  return NULL;
}

void bo_chain_destroy(struct bo_chain *chain) {
  for (unsigned i = 0; i < chain->stage_count; i++)
    if (chain->stages[i]->started) (void)pthread_join(chain->stages[i]->thread, NULL);
  for (unsigned i = 0; i + 1 < chain->stage_count; i++)
    bo_ring_destroy(&chain->rings[i]);
  (void)pthread_cond_destroy(&chain->changed);
  (void)pthread_mutex_destroy(&chain->lock);
}

int bo_stage_drain(struct bo_stage *stage, struct bo_meter *meter,
                   int (*put)(void *context, const unsigned char *bytes, size_t size, struct bo_error *error),
                   void *context, struct bo_error *error) {
  for (;;) {
    const unsigned char *bytes = NULL;
    size_t size = 0;
    int got = bo_ring_next(stage->in, &bytes, &size);
    if (got == BO_ERROR) return BO_ERROR;
    if (got == BO_DONE) return bo_meter_finish(meter, error);
    if (bo_meter_add(meter, bytes, size, error) != BO_OK) return BO_ERROR;
    if (put(context, bytes, size, error) != BO_OK) return BO_ERROR;
    bo_ring_release(stage->in);
  }
}

int bo_meter_open(struct bo_meter *meter, bool hashing, struct bo_error *error) {
  *meter = (struct bo_meter){.hashing = hashing};
  return hashing ? bo_sha256_open(&meter->sha256, error) : BO_OK;
}

int bo_meter_add(struct bo_meter *meter, const void *bytes, size_t size, struct bo_error *error) {
  (void)atomic_fetch_add(&meter->bytes, size);
  return meter->hashing ? bo_sha256_update(&meter->sha256, bytes, size, error) : BO_OK;
}

int bo_meter_finish(struct bo_meter *meter, struct bo_error *error) {
  return meter->hashing ? bo_sha256_finish(&meter->sha256, meter->sha256_text, error) : BO_OK;
}

void bo_meter_close(struct bo_meter *meter) {
  if (meter->sha256.context != NULL) bo_sha256_close(&meter->sha256);
}
