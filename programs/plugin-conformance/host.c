/* host.c - the services behind the fake host. Each block has its account in front of it. */
#include "programs/plugin-conformance/host.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "core/base/clock.h"
#include "programs/plugin-conformance/rules.h"

#define BLOCK_LIVE UINT64_C(0x6c69766562616e6b)
#define LOG_MAX_BYTES (1U << 20)

struct conf_block {
  struct conf_block *next, *previous;
  size_t size;
  uint64_t state;
  max_align_t bytes[];
};

static struct conf_block *block_of(void *memory) {
  return (struct conf_block *)((char *)memory - offsetof(struct conf_block, bytes));
}

/* Both with the lock held. */
static void link_block(struct conf_host *host, struct conf_block *block, size_t size) {
  *block = (struct conf_block){.next = host->blocks, .size = size, .state = BLOCK_LIVE};
  if (host->blocks != NULL) host->blocks->previous = block;
  host->blocks = block;
  host->live_blocks++;
  host->live_bytes += size;
}

static void unlink_block(struct conf_host *host, struct conf_block *block) {
  CONF_HOLDS(block->state == BLOCK_LIVE,
             "memory was given to the host's free() or realloc() that is not (any more) "
             "from this instance's host");
  block->state = 0;
  if (block->previous != NULL)
    block->previous->next = block->next;
  else
    host->blocks = block->next;
  if (block->next != NULL) block->next->previous = block->previous;
  host->live_blocks--;
  host->live_bytes -= block->size;
}

static bool refuses(struct conf_host *host) {
  bool refused = ++host->allocations == host->fail_at;
  if (refused) host->failed = true;
  return refused;
}

static void *host_realloc(void *context, void *memory, size_t size) {
  struct conf_host *host = context;
  struct conf_block *block = NULL;
  (void)pthread_mutex_lock(&host->lock);
  if (!refuses(host) && size <= PTRDIFF_MAX / 2) block = malloc(sizeof(*block) + (size == 0 ? 1 : size));
  if (block != NULL) link_block(host, block, size);
  if (block != NULL && memory != NULL) { /* always moved: an address that was kept is one that went */
    struct conf_block *old = block_of(memory);
    unlink_block(host, old);
    memcpy(block->bytes, memory, old->size < size ? old->size : size);
    free(old);
  }
  (void)pthread_mutex_unlock(&host->lock);
  return block == NULL ? NULL : block->bytes;
}

static void *host_alloc(void *context, size_t size) {
  void *memory = host_realloc(context, NULL, size);
  if (memory != NULL) memset(memory, 0xa5, size); /* it is not zeroed, and must not seem so */
  return memory;
}

static void host_free(void *context, void *memory) {
  struct conf_host *host = context;
  if (memory == NULL) return;
  (void)pthread_mutex_lock(&host->lock);
  unlink_block(host, block_of(memory));
  (void)pthread_mutex_unlock(&host->lock);
  free(block_of(memory));
}

static void host_log(void *context, int level, const char *text) {
  struct conf_host *host = context;
  (void)level;
  (void)pthread_mutex_lock(&host->lock);
  if (host->log.size < LOG_MAX_BYTES) (void)bo_buffer_printf(&host->log, "%s\n", text);
  (void)pthread_mutex_unlock(&host->lock);
}

static int host_cancelled(void *context) {
  return atomic_load(&((struct conf_host *)context)->cancelled) ? 1 : 0;
}

static int host_sleep_ms(void *context, uint32_t milliseconds) {
  uint64_t until_ms = bo_monotonic_ms() + milliseconds;
  while (!host_cancelled(context) && bo_monotonic_ms() < until_ms)
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return host_cancelled(context);
}

static uint64_t host_monotonic_ns(void *context) {
  return bo_monotonic_ns() + atomic_load(&((struct conf_host *)context)->leap_ns);
}

static int host_random(void *context, void *bytes, size_t size) {
  struct conf_host *host = context;
  if (atomic_load(&host->no_random)) {
    atomic_fetch_add(&host->random_refused, 1);
    return -1;
  }
  for (size_t done = 0; done < size;) {
    ssize_t got = getrandom((char *)bytes + done, size - done, 0);
    if (got > 0) done += (size_t)got;
  }
  return 0;
}

void conf_host_open(struct conf_host *host) {
  *host = (struct conf_host){
      .table =
          {
              .header = BO_HEADER(struct bo_host),
              .features = BO_HOST_FEATURES,
              .context = host,
              .alloc = host_alloc,
              .realloc = host_realloc,
              .free = host_free,
              .log = host_log,
              .cancelled = host_cancelled,
              .sleep_ms = host_sleep_ms,
              .monotonic_ns = host_monotonic_ns,
              .random = host_random,
          },
  };
  (void)pthread_mutex_init(&host->lock, NULL);
}

void conf_host_close(struct conf_host *host) {
  while (host->blocks != NULL)
    host_free(host, host->blocks->bytes);
  bo_buffer_cleanse(&host->log);
  (void)pthread_mutex_destroy(&host->lock);
}

void conf_host_fail_at(struct conf_host *host, long number) {
  (void)pthread_mutex_lock(&host->lock);
  host->fail_at = number == 0 ? 0 : host->allocations + number;
  host->failed = false;
  (void)pthread_mutex_unlock(&host->lock);
}

_Static_assert(offsetof(struct conf_host, newer) == sizeof(struct bo_host), "there is a gap behind the table");
