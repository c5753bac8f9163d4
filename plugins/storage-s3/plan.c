/*
 * plugins/storage-s3/plan.c - into which parts a stream is cut.
 *
 * A part is kept in memory until it has been stored, and there may be `max_parts` of them. Equal parts that are small
 * end early (10,000 of 5 MiB are 48.8 GiB), and equal parts that are large waste memory on every small stream. So a
 * part is at least 1/divisor of all that went before it: sizes stay at the first one up to first * divisor bytes and
 * grow exponentially from there. The divisor is the largest, so the parts the smallest, with which 5 TiB still fit.
 * With the default limits that is:
 *
 *   stored so far      4 GiB   16 GiB   100 GiB    1 TiB    5 TiB
 *   size of a part     5 MiB   14 MiB    82 MiB   835 MiB   2 GiB
 */
#include "core/base/error.h"
#include "plugins/storage-s3/storage-s3.h"

#define MIB (INT64_C(1) << 20)
#define BUFFER_BYTES (28 * MIB) /* with the process's own about 18 MiB this stays under 48 MiB */
#define FEW_PARTS 5000          /* fewer do not reach 5 TiB, since no part is longer than 5 GiB */

static int64_t min64(int64_t a, int64_t b) {
  return a < b ? a : b;
}
static int64_t max64(int64_t a, int64_t b) {
  return a > b ? a : b;
}

int64_t s3_plan_part(const struct s3_plan *plan, int64_t stored_bytes) {
  int64_t size = stored_bytes < plan->even_bytes ? plan->first_bytes : stored_bytes / plan->divisor;
  size = (size + MIB - 1) / MIB * MIB;
  return min64(max64(size, plan->first_bytes), plan->largest_bytes);
}

unsigned s3_plan_buffers(const struct s3_plan *plan, int64_t part_bytes) {
  int64_t count = plan->buffer_bytes / part_bytes;
  return count < 1 ? 1 : (unsigned)min64(count, plan->concurrency);
}

int64_t s3_plan_capacity(const struct s3_plan *plan, int64_t *largest_part) {
  int64_t total = 0;
  int64_t part = 0;
  for (unsigned i = 0; i < plan->max_parts && total < S3_OBJECT_MAX; i++) {
    part = s3_plan_part(plan, total);
    total += part;
  }
  if (largest_part != NULL) *largest_part = part;
  return min64(total, S3_OBJECT_MAX);
}

/* The largest divisor with which `wanted` bytes fit; 1 when none does. */
static void choose_divisor(struct s3_plan *plan, int64_t wanted) {
  int64_t low = 1;
  int64_t high = (int64_t)plan->max_parts + 1;
  while (low + 1 < high) {
    plan->divisor = (low + high) / 2;
    if (s3_plan_capacity(plan, NULL) >= wanted)
      low = plan->divisor;
    else
      high = plan->divisor;
  }
  plan->divisor = low;
}

/* Even parts, with a quarter of them to spare, which grow: a hint is an estimate. */
static int64_t even_part(int64_t hint, unsigned max_parts) {
  int64_t count = max64((int64_t)max_parts * 3 / 4, 1);
  int64_t size = hint / count + 1;
  return (size + MIB - 1) / MIB * MIB;
}

int s3_plan_make(struct s3_plan *plan, int64_t part_bytes, unsigned max_parts, unsigned concurrency,
                 int64_t memory_bytes, int64_t size_hint_bytes, struct bo_error *error) {
  *plan = (struct s3_plan){
      .first_bytes = part_bytes,
      .largest_bytes = min64(memory_bytes, S3_PART_MAX),
      .buffer_bytes = min64(max64(BUFFER_BYTES, part_bytes * concurrency), memory_bytes),
      .max_parts = max_parts,
      .concurrency = concurrency,
      .divisor = 1,
  };
  if (part_bytes > plan->largest_bytes)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the parameter partSize (%lld bytes) is more than memoryLimit (%lld bytes)",
                        (long long)part_bytes, (long long)plan->largest_bytes);
  if (size_hint_bytes > S3_OBJECT_MAX)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                        "the object is expected to have %lld bytes, but S3 keeps at most 5 TiB in one",
                        (long long)size_hint_bytes);
  if (size_hint_bytes > 0) {
    if (size_hint_bytes > plan->largest_bytes * max_parts)
      return bo_error_set(
          error, BO_CLASS_NO_MEMORY, 0,
          "an object of the expected %lld bytes in at most %u parts needs longer parts than memoryLimit "
          "allows (%lld bytes): raise memoryLimit or maxParts",
          (long long)size_hint_bytes, max_parts, (long long)plan->largest_bytes);
    int64_t even = min64(even_part(size_hint_bytes, max_parts), plan->largest_bytes);
    plan->first_bytes = max64(plan->first_bytes, even);
    plan->even_bytes = size_hint_bytes;
  }
  /* A store with few parts never gets to 5 TiB: a fifth of what it could take keeps memory in proportion. */
  int64_t most = (int64_t)max_parts * plan->largest_bytes;
  choose_divisor(plan, max_parts > FEW_PARTS ? min64(most, S3_OBJECT_MAX) : min64(most / 5, S3_OBJECT_MAX));
  return BO_OK;
}
