/*
 * core/run/spec.h - what one run is to do: the JSON document that a runner gets from its owner.
 *
 * docs/runner.md describes the document. Unknown members are errors: a misspelt limit must not be a limit that is
 * silently absent.
 */
#ifndef BO_RUN_SPEC_H
#define BO_RUN_SPEC_H

#include <backup-operator/plugin.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/pipeline/stages.h"

enum bo_operation {
  BO_OP_BACKUP = 1, /* command -> storage */
  BO_OP_RESTORE,    /* storage -> command */
  BO_OP_VERIFY,     /* storage -> nothing, proven */
  BO_OP_CAT,        /* storage -> a descriptor */
  BO_OP_DECODE,     /* a descriptor -> a descriptor */
  BO_OP_LIST,       /* the operations below are single questions to the storage */
  BO_OP_STAT,
  BO_OP_REMOVE,
  BO_OP_DISCARD,
  BO_OP_SWEEP,
  BO_OP_PROBE
};

/* A plugin and what it is configured with. */
struct bo_plugin_spec {
  const char *name; /* NULL: none */
  struct bo_pair *parameters;
  size_t parameter_count;
  struct bo_secret *secrets;
  size_t secret_count;
  struct bo_signature *signatures; /* decoding: how the stream's format is found out; none: it is this plugin's */
  size_t signature_count;
};

/* What the backup recorded; -1 and NULL where nothing is known. */
struct bo_expectation {
  int64_t plain_bytes;
  int64_t stored_bytes;
  const char *sha256_plain;
  const char *sha256_stored;
  const char *uid;
};

struct bo_run_limits {
  uint64_t deadline_ms;  /* for the whole chain; 0: none */
  uint64_t call_ms;      /* for one call of a plugin */
  uint32_t grace_ms;     /* between the polite and the forced end of a workload */
  uint64_t memory_bytes; /* address space; 0: from the plugins' own statements */
};

struct bo_run_spec {
  enum bo_operation operation;
  const char *namespace_name;
  const char *name;
  const char *uid;
  int64_t attempt;
  struct bo_plugin_spec storage;
  struct bo_plugin_spec compression;
  struct bo_plugin_spec encryption;
  struct bo_plugin_spec platform;
  const char *key;
  const char *token;          /* discard */
  const char *prefix;         /* list, sweep */
  const char *after;          /* list */
  int64_t limit;              /* list */
  int64_t older_than_seconds; /* sweep */
  const char *container;
  const char **argv; /* NULL-terminated; NULL when the operation runs no command */
  const char *template_json;
  int64_t start_deadline_ms;
  int64_t size_hint_bytes; /* -1: unknown */
  bool verify_first;
  bool stderr_tail;
  int input_fd;
  int output_fd;
  struct bo_expectation expect;
  struct bo_run_limits limits;
  void *json;   /* the parsed document: owner of the strings above */
  void *memory; /* list of further allocations */
};

#define BO_SPEC_MAX_BYTES ((size_t)4 * 1024 * 1024)

/* Makes cJSON overwrite what it frees, since specs hold secrets. Once, before any other use of cJSON. */
void bo_spec_use_cleansing_json(void);

/* Parses one document. The error names the member. */
int bo_run_spec_parse(const char *json, size_t size, struct bo_run_spec *spec, struct bo_error *error);
/* Overwrites every secret in it, when the plugins have their own copies. */
void bo_run_spec_forget_secrets(struct bo_run_spec *spec);
/* Frees it, overwriting the secrets. Idempotent. */
void bo_run_spec_free(struct bo_run_spec *spec);

const char *bo_operation_name(enum bo_operation operation);

#endif
