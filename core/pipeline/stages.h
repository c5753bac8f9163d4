/*
 * core/pipeline/stages.h - what a chain can be made of.
 *
 * A stage's struct is the caller's, zeroed but for the fields named "in"; bo_..._stage_init checks nothing and
 * acquires nothing but memory. After bo_chain_destroy the results are read from it, then it is closed.
 */
#ifndef BO_PIPELINE_STAGES_H
#define BO_PIPELINE_STAGES_H

#include "core/pipeline/chain.h"
#include "core/plugin/checked.h"

/* ---- transform: compress or encrypt, either direction ---- */

/* What a stream's first bytes say, where its format is to be found out. */
struct bo_signature {
  const unsigned char *bytes;
  size_t size;
  const char *refusal; /* NULL: the stream is the transform's. Else: such a stream is an error, with this text */
};

struct bo_transform_stage {
  struct bo_stage stage;
  struct bo_transform *transform; /* in: open; stays the caller's */
  /* in: with signatures a stream that begins with none of them passes as it is, an empty one is an error, and the
   * others are treated as each says. Without any, every stream goes through the transform. */
  const struct bo_signature *signatures;
  size_t signature_count;
  bool passed_on; /* out: the stream had none of the signatures, so the transform has proven nothing of it */
};

void bo_transform_stage_init(struct bo_transform_stage *stage, const char *name, struct bo_transform *transform);

/* ---- a command: its stdout as source of a backup, its stdin as sink of a restore ---- */

struct bo_exec_stage {
  struct bo_stage stage;
  struct bo_exec *exec; /* in: open; stays the caller's */
  struct bo_meter meter;
  /* in, restore: called in the stage's thread when all of the input has arrived and its end was clean, before stdin
   * is closed: the last chance to find that it is not what was backed up. NULL for none. */
  int (*prove)(void *context, struct bo_error *error);
  void *context;
  struct bo_exit exit;     /* out: how the command ended, if that was received */
  bool exited;             /* out */
  atomic_bool stdin_ended; /* out, restore: the command was told that its input is complete */
};

/* The command's stdout. Ends cleanly only after exit status 0 was received. */
int bo_exec_source_init(struct bo_exec_stage *stage, struct bo_exec *exec, bool hashing, struct bo_error *error);
/* The command's stdin. */
int bo_exec_sink_init(struct bo_exec_stage *stage, struct bo_exec *exec, bool hashing, struct bo_error *error);

/* ---- a stored object ---- */

struct bo_storage_source {
  struct bo_stage stage;
  struct bo_storage *storage; /* in: open; stays the caller's */
  const char *key;
  const char *if_match; /* in: NULL for none */
  struct bo_meter meter;
  /* in: called in the stage's thread with what is known of the object before its first byte is read. */
  int (*check)(void *context, const struct bo_object *object, struct bo_error *error);
  void *context;
  struct bo_object object; /* out: valid once its size field is not 0 */
};

int bo_storage_source_init(struct bo_storage_source *stage, struct bo_storage *storage, const char *key, bool hashing,
                           struct bo_error *error);

enum bo_put_proof {
  BO_PROOF_NONE = 0,
  BO_PROOF_STAT = 1,   /* after the commit the storage was asked, and agrees on the size */
  BO_PROOF_COMMIT = 2, /* asking is not permitted: the commit's own answer */
};

struct bo_storage_sink {
  struct bo_stage stage;
  struct bo_storage *storage; /* in: open; stays the caller's */
  const char *key;
  const struct bo_put_options *options; /* in: its metadata tell this put's object from any other */
  struct bo_meter meter;
  /* in, in the stage's thread: the put's token, before the first byte is stored. */
  int (*opened)(void *context, const char *token, struct bo_error *error);
  /* in, in the stage's thread: everything has arrived; may it be committed? */
  int (*permit)(void *context, struct bo_error *error);
  void *context;
  struct bo_token token;   /* out */
  struct bo_object object; /* out: what was committed */
  enum bo_put_proof proof; /* out: not NONE: the object is there, whole. Counts even if the chain failed later */
};

int bo_storage_sink_init(struct bo_storage_sink *stage, struct bo_storage *storage, const char *key,
                         const struct bo_put_options *options, bool hashing, struct bo_error *error);

/* ---- a descriptor of this process ---- */

struct bo_fd_stage {
  struct bo_stage stage;
  int fd; /* in: -1 as sink: the bytes are only counted and hashed */
  int wake_fd;
  int own_fd;
  struct bo_meter meter;
  int (*prove)(void *context, struct bo_error *error); /* in, sink: as bo_exec_stage's */
  void *context;
};

int bo_fd_source_init(struct bo_fd_stage *stage, int fd, bool hashing, struct bo_error *error);
int bo_fd_sink_init(struct bo_fd_stage *stage, int fd, bool hashing, struct bo_error *error);
void bo_fd_stage_close(struct bo_fd_stage *stage);

#endif
