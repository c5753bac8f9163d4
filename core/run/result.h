/* core/run/result.h - how a run ended, as a value and as JSON. */
#ifndef BO_RUN_RESULT_H
#define BO_RUN_RESULT_H

#include <backup-operator/plugin.h>

#include "core/base/buffer.h"
#include "core/base/sha256.h"
#include "core/run/spec.h"

/* What stands behind a success: the strongest that was had. docs/runner.md says what each means. */
#define BO_PROVEN_BY_STAT "stat"     /* backup: the storage agrees on the size */
#define BO_PROVEN_BY_COMMIT "commit" /* backup: asking is not permitted; the commit's own answer */
#define BO_PROVEN_BY_RECORD "record" /* reading: sizes and hashes are those of the backup */
#define BO_PROVEN_BY_FORMAT "format" /* reading: the format's own checks to its end, but no record */
#define BO_PROVEN_BY_LENGTH "length" /* reading: no format and no record: as long as the storage said */
#define BO_PROVEN_BY_NOTHING "none"  /* decoding: no format: the input has ended, which a cut one does, too */

struct bo_run_result {
  enum bo_operation operation;
  bool successful;
  struct bo_error error;
  const char *stage; /* which failed; static; NULL for none */
  const char *proof; /* static; NULL when not successful */
  struct bo_token token;
  bool token_pending; /* a put was opened, and it could not be made sure that nothing of it remains */
  struct bo_object object;
  uint64_t plain_bytes;
  uint64_t stored_bytes;
  char sha256_plain[BO_SHA256_TEXT_MAX];
  char sha256_stored[BO_SHA256_TEXT_MAX];
  struct bo_exit exit; /* size 0: no exit was received */
  int64_t start_ms;
  int64_t completion_ms;
  uint64_t count; /* sweep, list */
  struct bo_buffer stderr_tail;
};

void bo_run_result_init(struct bo_run_result *result, enum bo_operation operation);
void bo_run_result_free(struct bo_run_result *result);

/* One line of JSON, {"type":"result",...}. NULL when out of memory; the caller frees it. `limit_bytes`, when not 0,
 * is kept by leaving out the stderr's tail, then the object's metadata, the message's end, and the key. */
char *bo_run_result_json(const struct bo_run_result *result, const struct bo_run_spec *spec, size_t limit_bytes);

#endif
