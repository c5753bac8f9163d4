/* rules.c - all rules as one table, and the small things that several of them need. */
#include "programs/plugin-conformance/rules.h"

#include <dirent.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "core/base/io.h"

/* ---- the table ---- */

static const struct conf_rule *const profiles[] = {
    conf_static_rules,   conf_life_rules,  conf_transform_rules, conf_storage_rules, conf_object_rules,
    conf_platform_rules, conf_fault_rules, conf_secret_rules,    conf_abi_rules,
};

#define RULES_MAX 128

const struct conf_rule *conf_rules(void) {
  static struct conf_rule all[RULES_MAX + 1];
  size_t count = 0;
  if (all[0].id != NULL) return all;
  for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
    for (const struct conf_rule *rule = profiles[i]; rule->id != NULL && count < RULES_MAX; rule++)
      all[count++] = *rule;
  return all;
}

const struct conf_rule *conf_rule_find(const char *id) {
  for (const struct conf_rule *rule = conf_rules(); rule->id != NULL; rule++)
    if (strcmp(rule->id, id) == 0) return rule;
  return NULL;
}

const char *conf_profile(const char *id) {
  static const char *const names[][2] = {{"STA", "static"},  {"LIF", "life cycle"}, {"TRA", "transform"},
                                         {"STO", "storage"}, {"PLA", "platform"},   {"FLT", "faults"},
                                         {"SEC", "secrets"}, {"ABI", "ABI"}};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (strncmp(names[i][0], id, 3) == 0) return names[i][1];
  return "other";
}

/* ---- configuration ---- */

/* Replaces every {tmp}. */
static char *expand(const struct conf *conf, const char *value) {
  struct bo_buffer text = BO_BUFFER_INIT;
  for (const char *found; (found = strstr(value, "{tmp}")) != NULL; value = found + strlen("{tmp}")) {
    (void)bo_buffer_append(&text, value, (size_t)(found - value));
    (void)bo_buffer_append_text(&text, conf->folder);
  }
  (void)bo_buffer_append_text(&text, value);
  char *expanded = bo_buffer_take(&text);
  if (expanded == NULL) conf_skip("out of memory");
  return expanded;
}

static size_t collect_parameters(const struct conf *conf, const struct bo_pair *wrong,
                                 struct bo_pair parameters[CONF_PAIRS_MAX + 1]) {
  const struct conf_settings *settings = conf->settings;
  size_t count = 0;
  for (size_t i = 0; i < settings->parameter_count; i++)
    if (wrong == NULL || strcmp(settings->parameters[i].name, wrong->name) != 0)
      parameters[count++] = settings->parameters[i];
  if (wrong != NULL) parameters[count++] = *wrong;
  for (size_t i = 0; i < count; i++)
    parameters[i].value = expand(conf, parameters[i].value);
  return count;
}

void conf_config(const struct conf *conf, const struct bo_pair *wrong, const struct bo_pair *wrong_secret,
                 const struct bo_secret *canary, struct bo_parsed_config *config) {
  const struct conf_settings *settings = conf->settings;
  struct bo_pair parameters[CONF_PAIRS_MAX + 1];
  struct bo_secret secrets[CONF_PAIRS_MAX + 1];
  struct bo_buffer files[CONF_PAIRS_MAX];
  struct bo_error error = BO_ERROR_INIT;
  size_t parameter_count = collect_parameters(conf, wrong, parameters);
  size_t secret_count = settings->secret_count;
  for (size_t i = 0; i < secret_count; i++) {
    bool replaced = wrong_secret != NULL && strcmp(settings->secrets[i].name, wrong_secret->name) == 0;
    files[i] = (struct bo_buffer)BO_BUFFER_INIT;
    if (bo_read_file(replaced ? wrong_secret->value : settings->secrets[i].value, 1 << 20, &files[i], &error) != BO_OK)
      conf_skip("%s", error.text);
    secrets[i] =
        (struct bo_secret){settings->secrets[i].name, (const unsigned char *)bo_buffer_text(&files[i]), files[i].size};
  }
  if (canary != NULL) secrets[secret_count++] = *canary;
  int result = bo_config_parse(&conf->plugin->descriptor, conf->plugin->params, parameters, parameter_count, secrets,
                               secret_count, config, &error);
  for (size_t i = 0; i < settings->secret_count; i++)
    bo_buffer_cleanse(&files[i]);
  for (size_t i = 0; i < parameter_count; i++)
    free((char *)parameters[i].value);
  if (result != BO_OK) conf_skip("%s", error.text);
}

/* ---- data ---- */

void conf_noise(void *bytes, size_t size, uint64_t seed) {
  unsigned char *out = bytes;
  uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  for (size_t i = 0; i < size; i++) { /* xorshift64 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    out[i] = (unsigned char)(state >> 32);
  }
}

void conf_text(void *bytes, size_t size) {
  char *out = bytes;
  unsigned row = 0;
  for (size_t i = 0; i < size;) {
    char line[96];
    int length =
        snprintf(line, sizeof(line), "INSERT INTO t VALUES (%u, 'row %u of many', %u);\n", row, row, row * 2654435761U);
    size_t part = size - i < (size_t)length ? size - i : (size_t)length;
    memcpy(out + i, line, part);
    i += part;
    row++;
  }
}

/* ---- what this process has ---- */

static unsigned count_entries(const char *path) {
  unsigned count = 0;
  BO_CLEANUP_DIR DIR *folder = opendir(path);
  if (folder == NULL) conf_skip("%s cannot be read", path);
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
    if (entry->d_name[0] != '.') count++;
  return count;
}

unsigned conf_count_descriptors(void) {
  return count_entries("/proc/self/fd") - 1; /* the one that reads it */
}

unsigned conf_count_threads(void) {
  return count_entries("/proc/self/task");
}

size_t conf_heap_bytes(void) {
  if (CONF_SANITIZED) return 0;
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
