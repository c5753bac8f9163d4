/*
 * session.h - an ordinary use of a plugin of any kind, one call at a time.
 *
 * A compress or crypt plugin encodes some data and decodes them; a storage stores, finds, reads and removes an object
 * and aborts another; a platform runs a backup's and a restore's command. Rules that are about every kind stop it
 * after each call, make each allocation in it fail, run it in many threads, and so on.
 */
#ifndef BO_CONFORMANCE_SESSION_H
#define BO_CONFORMANCE_SESSION_H

#include "programs/plugin-conformance/codec.h"
#include "programs/plugin-conformance/host.h"
#include "programs/plugin-conformance/rules.h"

#define CONF_SESSION_BYTES 20000

struct conf_session {
  const struct conf *conf;
  struct conf_host host;
  struct bo_parsed_config config;
  unsigned phase;       /* the kind's own count of what was done */
  unsigned calls;       /* that were made */
  const char *function; /* the one that was called last */
  struct bo_error error;
  unsigned char plain[CONF_SESSION_BYTES];

  struct conf_codec codec; /* transforms */
  struct conf_stream stream;
  struct bo_buffer stored, decoded;

  void *instance; /* storages and platforms */
  char key[128], other_key[128];
  void *put, *get;
  struct bo_token token;
  size_t read_bytes;

  void *workload, *exec;
  char *template_json;
};

/* `canary`: a secret beside the user's; may be NULL. Calls nothing of the plugin. */
void conf_session_open(struct conf_session *session, const struct conf *conf, const struct bo_secret *canary);
/* Makes the next call. BO_OK: it succeeded; BO_DONE: that was all, and everything that came back was right. BO_ERROR:
 * it failed, session->error says how; then only conf_session_abandon may follow. */
int conf_session_step(struct conf_session *session);
/* All of it; a failure breaks the rule, with the function and its words. */
void conf_session_run(struct conf_session *session);
/* Closes the instance in the midst of it, with all that is open in it. Idempotent. */
void conf_session_abandon(struct conf_session *session);
/* Frees everything else. What the plugin left in session->host is asked before. */
void conf_session_close(struct conf_session *session);

/* One whole session, from open to close. */
void conf_session_once(const struct conf *conf);

/* The next call of each kind. */
int conf_session_step_transform(struct conf_session *session);
int conf_session_step_storage(struct conf_session *session);
int conf_session_step_platform(struct conf_session *session);

#endif
