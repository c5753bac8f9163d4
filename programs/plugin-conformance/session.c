/* session.c - the session of each kind as a list of calls. */
#include "programs/plugin-conformance/session.h"

#include <stdlib.h>

#include "core/base/io.h"

/* ---- compress and crypt: encode, decode, compare ---- */

static int open_codec(struct conf_session *session, int direction) {
  const struct bo_buffer *stored = &session->stored;
  bool encode = direction == BO_ENCODE;
  session->stream = (struct conf_stream){
      .bytes = encode ? session->plain : (const unsigned char *)bo_buffer_text(stored),
      .size = encode ? sizeof(session->plain) : stored->size,
      .in_step = 1500,
      .out_step = 1000,
      .out = encode ? &session->stored : &session->decoded,
  };
  return conf_codec_open(&session->codec, session->conf, &session->host.table, direction, &session->config.table);
}

int conf_session_step_transform(struct conf_session *session) {
  int result = BO_OK;
  switch (session->phase) {
    case 0:
    case 3:
      session->function = "open";
      result = open_codec(session, session->phase == 0 ? BO_ENCODE : BO_DECODE);
      session->phase++;
      break;
    case 1:
    case 4:
      session->function = "process";
      result = conf_codec_step(&session->codec, &session->stream);
      if (result == BO_DONE) {
        session->phase++;
        result = BO_OK;
      }
      break;
    default:
      session->function = "close";
      conf_codec_close(&session->codec);
      if (++session->phase < 6) return BO_OK;
      CONF_HOLDS(session->decoded.size == sizeof(session->plain) &&
                     memcmp(session->decoded.bytes, session->plain, sizeof(session->plain)) == 0,
                 "%zu bytes were encoded; what came back from decoding are %zu, and not the same",
                 sizeof(session->plain), session->decoded.size);
      return BO_DONE;
  }
  session->error = session->codec.error;
  return result;
}

/* ---- storage: put, find, read, remove; and a put that is aborted ---- */

#define CALL(name, ...) \
  (session->function = #name, CONF_CALL(#name, operations->name(__VA_ARGS__, &session->error), &session->error))

static int note_found(void *context, const char *key, const struct bo_object *object) {
  struct conf_session *session = context;
  (void)object;
  if (strcmp(key, session->key) == 0) session->read_bytes = 1;
  return 0;
}

static int read_object(struct conf_session *session, const struct bo_storage_operations *operations) {
  unsigned char bytes[3000];
  size_t size = 0;
  int result = CALL(get_read, session->get, bytes, sizeof(bytes), &size);
  if (result != BO_OK) return result;
  CONF_HOLDS(size <= sizeof(bytes) && session->read_bytes + size <= sizeof(session->plain) &&
                 memcmp(bytes, session->plain + session->read_bytes, size) == 0,
             "what was read from byte %zu of an object is not what was stored", session->read_bytes);
  session->read_bytes += size;
  if (size > 0) session->phase--; /* once more */
  if (size == 0)
    CONF_HOLDS(session->read_bytes == sizeof(session->plain), "an object of %zu bytes ended after %zu",
               sizeof(session->plain), session->read_bytes);
  return BO_OK;
}

static int put_close(struct conf_session *session, const struct bo_storage_operations *operations) {
  void *put = session->put;
  session->put = NULL;
  return CALL(put_close, put);
}

static int open_put(struct conf_session *session, const struct bo_storage_operations *operations, const char *key) {
  static const struct bo_pair metadata = {"run-uid", "5d7a6f1e"};
  struct bo_put_options options = {
      .header = BO_HEADER(struct bo_put_options), .metadata = &metadata, .metadata_count = 1, .size_hint_bytes = -1};
  return CALL(put_open, session->instance, key, &options, &session->token, &session->put);
}

static int list_own(struct conf_session *session, const struct bo_storage_operations *operations) {
  int more = 0;
  session->read_bytes = 0;
  int result = CALL(list, session->instance, session->conf->prefix, NULL, 1000, note_found, session, &more);
  if (result == BO_OK) CONF_HOLDS(session->read_bytes == 1, "a listing lacks an object that was committed");
  session->read_bytes = 0;
  return result;
}

int conf_session_step_storage(struct conf_session *session) {
  const struct bo_storage_operations *operations = session->conf->plugin->operations.storage;
  const size_t half = sizeof(session->plain) / 2;
  struct bo_object object = {.size = sizeof(object)};
  uint64_t count = 0;
  switch (session->phase++) {
    case 0:
      session->function = "open";
      return CONF_CALL(
          "open", operations->open(&session->host.table, &session->config.table, &session->instance, &session->error),
          &session->error);
    case 1: return CALL(probe, session->instance, BO_PROBE_READ | BO_PROBE_WRITE);
    case 2: return open_put(session, operations, session->key);
    case 3: return CALL(put_write, session->put, session->plain, half);
    case 4: return CALL(put_write, session->put, session->plain + half, sizeof(session->plain) - half);
    case 5: return CALL(put_commit, session->put, &object);
    case 6: return put_close(session, operations);
    case 7: return CALL(stat, session->instance, session->key, &object);
    case 8: return list_own(session, operations);
    case 9: return CALL(get_open, session->instance, session->key, 0, NULL, &object, &session->get);
    case 10: return read_object(session, operations);
    case 11:
      session->function = "get_close";
      conf_at("get_close");
      operations->get_close(session->get);
      conf_at(NULL);
      session->get = NULL;
      return BO_OK;
    case 12: return open_put(session, operations, session->other_key);
    case 13: return CALL(put_write, session->put, session->plain, half);
    case 14: return put_close(session, operations);
    case 15: return CALL(sweep, session->instance, session->conf->prefix, 3600, &count);
    case 16: return CALL(remove, session->instance, session->key, NULL);
    default:
      session->function = "close";
      conf_session_abandon(session);
      return BO_DONE;
  }
}

/* ---- platform: a backup's command, then a restore's ---- */

static void ignore_stderr(void *context, const void *bytes, size_t size) {
  (void)context, (void)bytes, (void)size;
}

static int open_exec(struct conf_session *session, const struct bo_platform_operations *operations, int direction) {
  static const char *const backup[] = {"/bin/sh", "-c", "i=0; while [ $i -lt 500 ]; do echo row $i; i=$((i+1)); done",
                                       NULL};
  static const char *const restore[] = {"/bin/sh", "-c", "cat >/dev/null", NULL};
  struct bo_exec_spec spec = {.header = BO_HEADER(struct bo_exec_spec),
                              .container = "",
                              .argv = direction == BO_EXEC_BACKUP ? backup : restore,
                              .direction = direction,
                              .on_stderr = ignore_stderr};
  session->read_bytes = 0;
  return CALL(exec_open, session->workload, &spec, &session->exec);
}

static int read_exec(struct conf_session *session, const struct bo_platform_operations *operations) {
  char bytes[1024];
  size_t size = 0;
  int result = CALL(exec_read, session->exec, bytes, sizeof(bytes), &size);
  if (result != BO_OK) return result;
  session->read_bytes += size;
  if (size > 0) session->phase--;
  if (size == 0)
    CONF_HOLDS(session->read_bytes == 3890, "a command wrote 3890 bytes, and %zu were read", session->read_bytes);
  return BO_OK;
}

static int wait_exec(struct conf_session *session, const struct bo_platform_operations *operations) {
  struct bo_exit status = {.size = sizeof(status)};
  int result = CALL(exec_wait, session->exec, &status);
  if (result == BO_OK)
    CONF_HOLDS(status.kind == BO_EXIT_STATUS && status.code == 0, "a command that succeeds: kind %d, code %d",
               status.kind, status.code);
  return result;
}

static int close_exec(struct conf_session *session, const struct bo_platform_operations *operations) {
  session->function = "exec_close";
  conf_at("exec_close");
  operations->exec_close(session->exec);
  conf_at(NULL);
  session->exec = NULL;
  return BO_OK;
}

static int start_workload(struct conf_session *session, const struct bo_platform_operations *operations) {
  struct bo_workload_spec spec = {.header = BO_HEADER(struct bo_workload_spec),
                                  .namespace_name = "default",
                                  .name = "conformance",
                                  .uid = "5d7a6f1e-0000-4000-8000-000000000000",
                                  .template_json = session->template_json == NULL ? "{}" : session->template_json};
  return CALL(workload_start, session->instance, &spec, &session->workload);
}

static int close_workload(struct conf_session *session, const struct bo_platform_operations *operations) {
  session->function = "workload_close";
  conf_at("workload_close");
  operations->workload_close(session->workload);
  conf_at(NULL);
  session->workload = NULL;
  return BO_OK;
}

int conf_session_step_platform(struct conf_session *session) {
  const struct bo_platform_operations *operations = session->conf->plugin->operations.platform;
  struct bo_workload_state state = {.size = sizeof(state)};
  switch (session->phase++) {
    case 0:
      session->function = "open";
      return CONF_CALL(
          "open", operations->open(&session->host.table, &session->config.table, &session->instance, &session->error),
          &session->error);
    case 1: return start_workload(session, operations);
    case 2: return CALL(workload_state, session->workload, &state);
    case 3: return open_exec(session, operations, BO_EXEC_BACKUP);
    case 4: return read_exec(session, operations);
    case 5: return wait_exec(session, operations);
    case 6: return close_exec(session, operations);
    case 7: return open_exec(session, operations, BO_EXEC_RESTORE);
    case 8: return CALL(exec_write, session->exec, session->plain, sizeof(session->plain));
    case 9: return CALL(exec_close_stdin, session->exec);
    case 10: return wait_exec(session, operations);
    case 11: return close_exec(session, operations);
    case 12: return CALL(workload_stop, session->workload, 1000);
    case 13: return close_workload(session, operations);
    default:
      session->function = "close";
      conf_session_abandon(session);
      return BO_DONE;
  }
}

/* ---- every kind ---- */

void conf_session_open(struct conf_session *session, const struct conf *conf, const struct bo_secret *canary) {
  *session = (struct conf_session){.conf = conf, .stored = BO_BUFFER_INIT, .decoded = BO_BUFFER_INIT};
  conf_host_open(&session->host);
  conf_config(conf, NULL, NULL, canary, &session->config);
  conf_text(session->plain, sizeof(session->plain) / 2);
  conf_noise(session->plain + sizeof(session->plain) / 2, sizeof(session->plain) / 2, 1);
  (void)snprintf(session->key, sizeof(session->key), "%sobject", conf->prefix);
  (void)snprintf(session->other_key, sizeof(session->other_key), "%sother", conf->prefix);
  if (conf->settings->template_file == NULL) return;
  struct bo_buffer text = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  if (bo_read_file(conf->settings->template_file, 1 << 20, &text, &error) != BO_OK) conf_skip("%s", error.text);
  session->template_json = bo_buffer_take(&text);
}

int conf_session_step(struct conf_session *session) {
  session->calls++;
  int result = BO_OK;
  switch (session->conf->plugin->descriptor.kind) {
    case BO_KIND_STORAGE: result = conf_session_step_storage(session); break;
    case BO_KIND_PLATFORM: result = conf_session_step_platform(session); break;
    default: result = conf_session_step_transform(session);
  }
  /* A function that failed has opened nothing, whatever it left in its out argument. */
  if (result == BO_OK || result == BO_DONE) return result;
  if (strcmp(session->function, "open") == 0) session->instance = NULL;
  return BO_ERROR;
}

void conf_session_run(struct conf_session *session) {
  for (;;) {
    int result = conf_session_step(session);
    if (result == BO_DONE) return;
    CONF_HOLDS(result == BO_OK, "%s() failed: %s", session->function, session->error.text);
  }
}

void conf_session_abandon(struct conf_session *session) {
  const struct bo_loaded_plugin *plugin = session->conf->plugin;
  conf_codec_close(&session->codec);
  if (session->instance == NULL) return;
  conf_at("close");
  if (plugin->descriptor.kind == BO_KIND_STORAGE)
    plugin->operations.storage->close(session->instance);
  else
    plugin->operations.platform->close(session->instance);
  conf_at(NULL);
  session->instance = session->put = session->get = session->workload = session->exec = NULL;
}

void conf_session_close(struct conf_session *session) {
  conf_session_abandon(session);
  bo_config_free(&session->config);
  bo_buffer_free(&session->stored);
  bo_buffer_free(&session->decoded);
  free(session->template_json);
  conf_host_close(&session->host);
}

void conf_session_once(const struct conf *conf) {
  struct conf_session session;
  conf_session_open(&session, conf, NULL);
  conf_session_run(&session);
  conf_session_close(&session);
}
