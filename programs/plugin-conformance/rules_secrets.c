/*
 * rules_secrets.c - what was given as a secret is never said, and does not stay.
 *
 * A canary is put among the secrets, and once in the place of each of the plugin's own: a malformed key tempts an error
 * to quote it. Here, too, it stands only masked, so that finding it in the process's memory means something.
 */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "core/base/io.h"
#include "programs/plugin-conformance/session.h"

#define CANARY_BYTES 40
#define MASK 0x5a

/* Different from run to run would help nobody; "canary-" and noise, letters only, so that it may stand anywhere. */
static void make_canary(char canary[CANARY_BYTES + 1]) {
  unsigned char noise[CANARY_BYTES];
  conf_noise(noise, sizeof(noise), 77);
  for (int i = 0; i < CANARY_BYTES; i++)
    canary[i] = (char)('a' + noise[i] % 26);
  canary[CANARY_BYTES] = '\0';
}

/* Any eight bytes of it in a row tell too much. The report quotes nothing of what was found. */
static bool tells(const char *text, const char *canary) {
  enum { TELLING_BYTES = 8 };
  for (int i = 0; i + TELLING_BYTES <= CANARY_BYTES; i++) {
    char part[TELLING_BYTES + 1];
    memcpy(part, canary + i, TELLING_BYTES);
    part[TELLING_BYTES] = '\0';
    if (strstr(text, part) != NULL) return true;
  }
  return false;
}

/* What a session said: its log, and its errors. */
static void listen(struct conf_session *session, struct bo_buffer *log, struct bo_buffer *errors) {
  int result = BO_OK;
  while (result == BO_OK)
    result = conf_session_step(session);
  if (result == BO_ERROR) (void)bo_buffer_printf(errors, "%s(): %s\n", session->function, session->error.text);
  conf_session_abandon(session);
  (void)bo_buffer_append_text(log, bo_buffer_text(&session->host.log));
}

/* A session with the canary beside the secrets, and one for each of the plugin's secrets with the canary as its value.
 */
static void say_everything(const struct conf *conf, const char *canary, struct bo_buffer *log,
                           struct bo_buffer *errors) {
  const struct bo_plugin *descriptor = &conf->plugin->descriptor;
  const struct bo_secret beside = {"conformance", (const unsigned char *)canary, CANARY_BYTES};
  struct conf_session session;
  conf_session_open(&session, conf, &beside);
  listen(&session, log, errors);
  conf_session_close(&session);
  for (uint32_t i = 0; i < descriptor->param_count; i++) {
    const struct bo_param *param = &conf->plugin->params[i];
    if ((param->flags & BO_PARAM_SECRET) == 0 || param->type != BO_TYPE_STRING || param->maximum != 0) continue;
    struct conf_settings alone = *conf->settings;
    alone.secret_count = 0;
    for (size_t s = 0; s < conf->settings->secret_count; s++)
      if (strcmp(conf->settings->secrets[s].name, param->key) != 0)
        alone.secrets[alone.secret_count++] = conf->settings->secrets[s];
    struct conf with = *conf;
    with.settings = &alone;
    const struct bo_secret instead = {param->key, (const unsigned char *)canary, CANARY_BYTES};
    conf_session_open(&session, &with, &instead);
    listen(&session, log, errors);
    bool transform = (CONF_KIND(descriptor->kind) & CONF_TRANSFORM) != 0;
    if (transform &&
        conf_codec_open(&session.codec, &with, &session.host.table, BO_DECODE, &session.config.table) != BO_OK)
      (void)bo_buffer_printf(errors, "open(): %s\n", session.codec.error.text);
    conf_session_abandon(&session);
    (void)bo_buffer_append_text(log, bo_buffer_text(&session.host.log));
    conf_session_close(&session);
  }
}

static void not_in_logs(struct conf *conf) {
  char canary[CANARY_BYTES + 1];
  BO_CLEANUP_BUFFER struct bo_buffer log = BO_BUFFER_INIT, errors = BO_BUFFER_INIT;
  make_canary(canary);
  say_everything(conf, canary, &log, &errors);
  CONF_HOLDS(!tells(bo_buffer_text(&log), canary), "a part of a secret stands in the log");
}

static void not_in_errors(struct conf *conf) {
  char canary[CANARY_BYTES + 1];
  BO_CLEANUP_BUFFER struct bo_buffer log = BO_BUFFER_INIT, errors = BO_BUFFER_INIT;
  make_canary(canary);
  say_everything(conf, canary, &log, &errors);
  CONF_HOLDS(!tells(bo_buffer_text(&errors), canary), "a part of a secret stands in an error's words");
}

/* ---- SEC-003: memory ---- */

struct needle {
  unsigned char masked[64];
  size_t size;
};

#define NEEDLES_MAX 16

static void mask(struct needle *needle, const char *bytes, size_t size) {
  needle->size = size < sizeof(needle->masked) ? size : sizeof(needle->masked);
  for (size_t i = 0; i < needle->size; i++)
    needle->masked[i] = (unsigned char)bytes[i] ^ MASK;
}

/* The lines of the user's own secrets that are long enough to be told from anything else. */
static size_t mask_secrets(const struct conf *conf, struct needle needles[NEEDLES_MAX], size_t count) {
  for (size_t s = 0; s < conf->settings->secret_count; s++) {
    struct bo_buffer file = BO_BUFFER_INIT;
    if (bo_read_file(conf->settings->secrets[s].value, 1 << 20, &file, NULL) == BO_OK) {
      for (const char *line = bo_buffer_text(&file); *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (length >= 20 && line[0] != '#' && line[0] != '-' && count < NEEDLES_MAX)
          mask(&needles[count++], line, length);
        line += length + (line[length] == '\n' ? 1 : 0);
      }
    }
    bo_buffer_cleanse(&file);
  }
  return count;
}

/* Reads what is mapped, whoever it belongs to: for that, sanitizers have to look away. */
__attribute__((no_sanitize("address", "thread"))) static bool found_in(const unsigned char *from,
                                                                       const unsigned char *to,
                                                                       const struct needle *needle) {
  for (const unsigned char *at = from; at + needle->size <= to; at++) {
    size_t i = 0;
    while (i < needle->size && (at[i] ^ MASK) == needle->masked[i])
      i++;
    if (i == needle->size) return true;
  }
  return false;
}

/* Every private mapping that can be written, but those of a size that only sanitizers have. */
static bool in_memory(const struct needle *needles, size_t count, char where[128]) {
  enum { LARGEST = 1 << 28 };
  BO_CLEANUP_FILE FILE *maps = fopen("/proc/self/maps", "re");
  char line[512];
  if (maps == NULL) conf_skip("/proc/self/maps cannot be read");
  while (fgets(line, sizeof(line), maps) != NULL) {
    unsigned long from = 0, to = 0;
    char permissions[5] = "";
    if (sscanf(line, "%lx-%lx %4s", &from, &to, permissions) != 3) continue; /* NOLINT(cert-err34-c) */
    if (strncmp(permissions, "rw", 2) != 0 || permissions[3] != 'p' || to - from > LARGEST) continue;
    for (size_t i = 0; i < count; i++) {
      /* NOLINTNEXTLINE(performance-no-int-to-ptr): addresses are what the file holds */
      if (!found_in((const unsigned char *)from, (const unsigned char *)to, &needles[i])) continue;
      const char *name = strchr(line, '/') != NULL ? strchr(line, '/') : strchr(line, '[');
      (void)snprintf(where, 128, "%.*s", name == NULL ? 0 : (int)strcspn(name, "\n"), name == NULL ? "" : name);
      return true;
    }
  }
  return false;
}

static void one_session_with(const struct conf *conf) {
  char canary[CANARY_BYTES + 1];
  struct conf_session session;
  make_canary(canary);
  const struct bo_secret beside = {"conformance", (const unsigned char *)canary, CANARY_BYTES};
  conf_session_open(&session, conf, &beside);
  OPENSSL_cleanse(canary, sizeof(canary));
  conf_session_run(&session);
  conf_session_close(&session);
}

static void not_in_memory(struct conf *conf) {
  struct needle needles[NEEDLES_MAX];
  char canary[CANARY_BYTES + 1], where[128];
  make_canary(canary);
  mask(&needles[0], canary, CANARY_BYTES);
  OPENSSL_cleanse(canary, sizeof(canary));
  size_t count = mask_secrets(conf, needles, 1);
  if (in_memory(needles, count, where)) conf_skip("a secret is in memory before the plugin was given it (%s)", where);
  one_session_with(conf);
  CONF_HOLDS(!in_memory(needles, count, where), "after close a secret is still in the process's memory %s", where);
}

const struct conf_rule conf_secret_rules[] = {
    {.id = "SEC-001",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "No part of a secret stands in the log.",
     .why = "Logs are collected, kept and read by more people than may read the secret.",
     .mend = "Log names and sizes, never values; mind a library's debug output.",
     .run = not_in_logs},
    {.id = "SEC-002",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "No part of a secret stands in an error, also not of one that is malformed.",
     .why = "An error's words go into the run's status, which whoever may look at runs can read.",
     .mend = "Say which secret it is and where it is wrong (the line, the length), and do not quote it.",
     .run = not_in_errors},
    {.id = "SEC-003",
     .kinds = CONF_ANY,
     .after = "LIF-002",
     .sentence = "After close no secret is left in the process's memory.",
     .why = "What stays in memory gets into dumps, swap, and whatever reads past the end of a buffer.",
     .mend = "Overwrite copies before they are freed or moved, with what a compiler does not remove: explicit_bzero, "
             "OPENSSL_cleanse.",
     .run = not_in_memory},
    {.id = NULL},
};
