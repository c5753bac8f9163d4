/*
 * backup-operator/transform.h - the kinds `compress` and `crypt`: a stream in, a stream out.
 *
 * A transform has two directions. ENCODE turns plain data into what is stored (compressed, encrypted), DECODE turns
 * it back. Decoding has a duty beyond that: it must never pass a part for the whole. Whatever is cut, altered, or
 * followed by anything that does not belong to the stream, is an error (BO_CLASS_CORRUPT) at the latest in answer to
 * BO_END. There is no option that lets data through untransformed.
 */
#ifndef BACKUP_OPERATOR_TRANSFORM_H
#define BACKUP_OPERATOR_TRANSFORM_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

enum bo_direction { BO_ENCODE = 1, BO_DECODE = 2 };

enum bo_process_mode {
  BO_CONTINUE = 0, /* there may be more input */
  BO_FLUSH = 1,    /* bring out all that the input so far allows; more may follow */
  BO_END = 2       /* `in` holds the last of the input: finish. Once given, every later call gives it too */
};

/* `position` is where the plugin goes on reading; it advances it. */
struct bo_input {
  const unsigned char *bytes;
  size_t size;
  size_t position;
};

/* `position` is where the plugin goes on writing; it advances it. */
struct bo_output {
  unsigned char *bytes;
  size_t size;
  size_t position;
};

struct bo_transform_operations {
  struct bo_header header;

  /* Makes an instance. BO_OK, or BO_ERROR with nothing left behind. */
  int (*open)(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
              struct bo_error *error);

  /*
   * Consumes input and produces output, as much of both as it can. `in` and `out` never overlap; `out` has at least
   * one byte of room; `in` may be empty. Memory in use does not grow with the length of the stream.
   *   BO_AGAIN       output is full, or there is more to give: call again with the rest of the input
   *   BO_NEED_INPUT  all input is consumed (in->position == in->size); never in answer to BO_END
   *   BO_DONE        only in answer to BO_END: the stream is complete and proven, nothing may follow
   *   BO_ERROR       the stream is broken; from now on only close may be called. What was written to `out` before
   *                  in this call is not used.
   * A call that neither consumes, nor produces, nor returns BO_NEED_INPUT, BO_DONE or BO_ERROR is a defect.
   */
  int (*process)(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error);

  /* Frees the instance at any point, cleansing keys. Never fails. */
  void (*close)(void *instance);

  /* The most memory in bytes that an instance with this configuration uses, for the runner's budget. */
  uint64_t (*memory_bytes)(int direction, const struct bo_config *config);
};

#ifdef __cplusplus
}
#endif
#endif
