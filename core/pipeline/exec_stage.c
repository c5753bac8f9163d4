/*
 * The user's command as a stage. Here stands what makes a command's end a good one: its exit status 0 was received,
 * its stdout ended cleanly, and, on a restore, it read all that it was given.
 */
#include "core/pipeline/stages.h"

/* Waits for the command's end and judges it. */
static int wait_for_success(struct bo_exec_stage *self, struct bo_error *error) {
  struct bo_exit exit = {.size = sizeof(exit)};
  if (bo_exec_wait(self->exec, &exit, error) != BO_OK) return BO_ERROR;
  self->exit = exit;
  self->exited = true;
  if (exit.kind == BO_EXIT_SIGNAL)
    return bo_error_set(error, BO_CLASS_COMMAND, 0, "the command was ended by signal %d (%s)", exit.code,
                        sigabbrev_np(exit.code) == NULL ? "?" : sigabbrev_np(exit.code));
  if (exit.code != 0) return bo_error_set(error, BO_CLASS_COMMAND, 0, "the command exited with status %d", exit.code);
  return BO_OK;
}

static int run_source(struct bo_stage *stage, struct bo_error *error) {
  struct bo_exec_stage *self = (struct bo_exec_stage *)stage;
  for (;;) {
    unsigned char *slot = NULL;
    size_t size = 0;
    if (!bo_ring_reserve(stage->out, &slot)) return BO_ERROR;
    if (bo_exec_read(self->exec, slot, BO_RING_SLOT_BYTES, &size, error) != BO_OK) return BO_ERROR;
    if (size == 0) break;
    if (bo_meter_add(&self->meter, slot, size, error) != BO_OK) return BO_ERROR;
    bo_ring_publish(stage->out, size);
  }
  if (wait_for_success(self, error) != BO_OK) return BO_ERROR;
  return bo_meter_finish(&self->meter, error);
}

static int write_stdin(void *exec, const unsigned char *bytes, size_t size, struct bo_error *error) {
  return bo_exec_write(exec, bytes, size, error);
}

static int run_sink(struct bo_stage *stage, struct bo_error *error) {
  struct bo_exec_stage *self = (struct bo_exec_stage *)stage;
  if (bo_stage_drain(stage, &self->meter, write_stdin, self->exec, error) != BO_OK) return BO_ERROR;
  if (self->prove != NULL && self->prove(self->context, error) != BO_OK) return BO_ERROR;
  atomic_store(&self->stdin_ended, true);
  if (bo_exec_close_stdin(self->exec, error) != BO_OK) return BO_ERROR;
  if (wait_for_success(self, error) != BO_OK) return BO_ERROR;
  if (self->exit.unread_bytes > 0)
    return bo_error_set(error, BO_CLASS_COMMAND, 0,
                        "the command exited with status 0 without reading the last %llu bytes of its input: what it "
                        "restored cannot be called complete. Let it read stdin to the end (`...; cat >/dev/null` "
                        "drops what it does not need)",
                        (unsigned long long)self->exit.unread_bytes);
  return BO_OK;
}

static void cancel(struct bo_stage *stage) {
  bo_exec_cancel(((struct bo_exec_stage *)stage)->exec);
}

static int init(struct bo_exec_stage *stage, struct bo_exec *exec, bool hashing,
                int (*run)(struct bo_stage *stage, struct bo_error *error), struct bo_error *error) {
  *stage = (struct bo_exec_stage){.stage = {.name = "command", .run = run, .cancel = cancel}, .exec = exec};
  return bo_meter_open(&stage->meter, hashing, error);
}

int bo_exec_source_init(struct bo_exec_stage *stage, struct bo_exec *exec, bool hashing, struct bo_error *error) {
  return init(stage, exec, hashing, run_source, error);
}

int bo_exec_sink_init(struct bo_exec_stage *stage, struct bo_exec *exec, bool hashing, struct bo_error *error) {
  return init(stage, exec, hashing, run_sink, error);
}
