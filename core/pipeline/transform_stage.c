/* A compress or crypt plugin as a stage: slots of the ring go in, slots come out, nothing is copied between. */
#include "core/pipeline/stages.h"

/* Publishes the slot that `out` fills and takes a fresh one. */
static bool next_slot(struct bo_ring *ring, struct bo_output *out) {
  if (out->position > 0) bo_ring_publish(ring, out->position);
  *out = (struct bo_output){.size = BO_RING_SLOT_BYTES};
  return bo_ring_reserve(ring, &out->bytes);
}

/* Feeds `in` through until it is used up (BO_NEED_INPUT), or the stream is complete (BO_DONE). */
static int feed(struct bo_transform_stage *self, struct bo_input *in, struct bo_output *out, int mode,
                struct bo_error *error) {
  for (;;) {
    int result = bo_transform_process(self->transform, in, out, mode, error);
    if (result != BO_AGAIN && result != BO_NEED_INPUT && result != BO_DONE) return BO_ERROR;
    if (out->position == out->size && !next_slot(self->stage.out, out)) return BO_ERROR;
    if (result != BO_AGAIN) return result;
  }
}

/* Looks at the first bytes. BO_OK: the stream is the transform's; BO_DONE: it passes as it is. */
static int recognize(const struct bo_transform_stage *self, struct bo_error *error) {
  const unsigned char *bytes = NULL;
  size_t size = 0;
  int got = bo_ring_next(self->stage.in, &bytes, &size);
  if (got == BO_ERROR) return BO_ERROR;
  if (got == BO_DONE)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                        "there is not a single byte, so nothing shows that this is the whole of it");
  for (size_t i = 0; i < self->signature_count; i++) {
    const struct bo_signature *signature = &self->signatures[i];
    size_t compared = size < signature->size ? size : signature->size;
    if (memcmp(bytes, signature->bytes, compared) != 0) continue;
    return signature->refusal == NULL ? BO_OK : bo_error_set(error, BO_CLASS_CONFIG, 0, "%s", signature->refusal);
  }
  return BO_DONE;
}

static int pass_on(struct bo_stage *stage) {
  for (;;) {
    const unsigned char *bytes = NULL;
    unsigned char *slot = NULL;
    size_t size = 0;
    int got = bo_ring_next(stage->in, &bytes, &size);
    if (got != BO_OK) return got == BO_DONE ? BO_OK : BO_ERROR;
    if (!bo_ring_reserve(stage->out, &slot)) return BO_ERROR;
    memcpy(slot, bytes, size);
    bo_ring_publish(stage->out, size);
    bo_ring_release(stage->in);
  }
}

/* What an empty input points to: a plugin may hand it to memcpy, which takes no NULL. */
static const unsigned char nothing[1];

static int run(struct bo_stage *stage, struct bo_error *error) {
  struct bo_transform_stage *self = (struct bo_transform_stage *)stage;
  int recognized = self->signature_count == 0 ? BO_OK : recognize(self, error);
  self->passed_on = recognized == BO_DONE;
  if (recognized != BO_OK) return self->passed_on ? pass_on(stage) : BO_ERROR;
  struct bo_output out = {.size = BO_RING_SLOT_BYTES};
  if (!bo_ring_reserve(stage->out, &out.bytes)) return BO_ERROR;
  for (;;) {
    struct bo_input in = {.bytes = nothing};
    int got = bo_ring_next(stage->in, &in.bytes, &in.size);
    if (got == BO_ERROR) return BO_ERROR;
    int result = feed(self, &in, &out, got == BO_DONE ? BO_END : BO_CONTINUE, error);
    if (got == BO_OK) bo_ring_release(stage->in);
    if (result == BO_ERROR) return BO_ERROR;
    if (result == BO_DONE) break;
  }
  if (out.position > 0) bo_ring_publish(stage->out, out.position);
  return BO_OK;
}

static void cancel(struct bo_stage *stage) {
  bo_plugin_host_cancel(stage->host);
}

void bo_transform_stage_init(struct bo_transform_stage *stage, const char *name, struct bo_transform *transform) {
  *stage = (struct bo_transform_stage){
      .stage = {.name = name, .run = run, .cancel = cancel, .host = &transform->host},
      .transform = transform,
  };
}
