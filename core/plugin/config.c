/* Texts and secrets in, typed values out; the plugin's own table says which are right. */
#include "core/plugin/config.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "core/base/text.h"

/* ---- values ---- */

bool bo_parse_bool(const char *text, bool *value) {
  static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
  static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
  for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
    if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
      *value = strcmp(text, yes[i]) == 0;
      return true;
    }
  }
  return false;
}

struct unit {
  const char *name;
  int64_t factor;
};

/* Digits followed by one of `units`; the empty unit is 1. */
static bool parse_with_unit(const char *text, const struct unit *units, size_t unit_count, int64_t *value) {
  size_t digits = strspn(text, "0123456789");
  char number[20];
  if (digits == 0 || digits >= sizeof(number)) return false;
  memcpy(number, text, digits);
  number[digits] = '\0';
  int64_t parsed = 0;
  if (!bo_parse_int64(number, &parsed)) return false;
  for (size_t i = 0; i < unit_count; i++)
    if (strcmp(text + digits, units[i].name) == 0) return !__builtin_mul_overflow(parsed, units[i].factor, value);
  return false;
}

bool bo_parse_size(const char *text, int64_t *bytes) {
  static const struct unit units[] = {
      {"", 1},
      {"B", 1},
      {"k", 1000},
      {"M", 1000000},
      {"G", 1000000000},
      {"T", 1000000000000},
      {"Ki", INT64_C(1) << 10},
      {"Mi", INT64_C(1) << 20},
      {"Gi", INT64_C(1) << 30},
      {"Ti", INT64_C(1) << 40},
      {"KiB", INT64_C(1) << 10},
      {"MiB", INT64_C(1) << 20},
      {"GiB", INT64_C(1) << 30},
      {"TiB", INT64_C(1) << 40},
  };
  return parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), bytes);
}

bool bo_parse_seconds(const char *text, int64_t *seconds) {
  static const struct unit units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  return parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), seconds);
}

/* The position of `text` in "a|b|c", or -1. */
static int64_t choice_index(const char *choices, const char *text) {
  size_t length = strlen(text);
  int64_t index = 0;
  for (const char *at = choices; at != NULL; index++) {
    const char *bar = strchr(at, '|');
    size_t width = bar == NULL ? strlen(at) : (size_t)(bar - at);
    if (width == length && strncmp(at, text, width) == 0) return index;
    at = bar == NULL ? NULL : bar + 1;
  }
  return -1;
}

static int wrong(const struct bo_param *param, const char *wanted, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "parameter %s: must be %s", param->key, wanted);
}

static int check_bounds(const struct bo_param *param, int64_t value, const char *what, struct bo_error *error) {
  if (param->minimum == 0 && param->maximum == 0) return BO_OK;
  if (value >= param->minimum && value <= param->maximum) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "parameter %s: %s must be between %lld and %lld", param->key, what,
                      (long long)param->minimum, (long long)param->maximum);
}

static int parse_value(const struct bo_param *param, const char *text, struct bo_value *value, struct bo_error *error) {
  value->is_set = 1;
  value->string = text;
  switch (param->type) {
    case BO_TYPE_STRING: return check_bounds(param, (int64_t)strlen(text), "its length in bytes", error);
    case BO_TYPE_BOOL: {
      bool flag = false;
      if (!bo_parse_bool(text, &flag)) return wrong(param, "true or false", error);
      value->integer = flag ? 1 : 0;
      return BO_OK;
    }
    case BO_TYPE_INTEGER:
      if (!bo_parse_int64(text, &value->integer)) return wrong(param, "a whole number", error);
      return check_bounds(param, value->integer, "it", error);
    case BO_TYPE_SIZE:
      if (!bo_parse_size(text, &value->integer)) return wrong(param, "a size in bytes, such as 65536 or 16MiB", error);
      return check_bounds(param, value->integer, "it", error);
    case BO_TYPE_SECONDS:
      if (!bo_parse_seconds(text, &value->integer)) return wrong(param, "a time, such as 90, 90s, 15m or 2h", error);
      return check_bounds(param, value->integer, "it", error);
    default:
      value->integer = choice_index(param->choices, text);
      if (value->integer >= 0) return BO_OK;
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "parameter %s: must be one of %s", param->key, param->choices);
  }
}

/* ---- names ---- */

static int find(const struct bo_plugin *descriptor, const struct bo_param *params, const char *key) {
  for (uint32_t i = 0; i < descriptor->param_count; i++)
    if (strcmp(params[i].key, key) == 0) return (int)i;
  return -1;
}

static int unknown_key(const struct bo_plugin *descriptor, const struct bo_param *params, const char *key,
                       struct bo_error *error) {
  const char *nearest = NULL;
  unsigned best = 4;
  BO_CLEANUP_BUFFER struct bo_buffer known = BO_BUFFER_INIT;
  for (uint32_t i = 0; i < descriptor->param_count; i++) {
    if ((params[i].flags & BO_PARAM_SECRET) != 0) continue;
    (void)bo_buffer_printf(&known, "%s%s", known.size > 0 ? ", " : "", params[i].key);
    unsigned distance = bo_edit_distance(params[i].key, key);
    if (distance < best) {
      best = distance;
      nearest = params[i].key;
    }
  }
  if (nearest != NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "there is no parameter %.64s: did you mean %s?", key, nearest);
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "there is no parameter %.64s: %s %s", key,
                      known.size > 0 ? "known are" : "this plugin has none", bo_buffer_text(&known));
}

/* ---- memory: one block of tables, one of texts, both cleansed at the end ---- */

struct config_memory {
  size_t size;
  size_t used;
  max_align_t bytes[];
};

static void *take(struct config_memory *memory, size_t size) {
  size_t begin = (memory->used + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
  memory->used = begin + size;
  return (char *)memory->bytes + begin;
}

static void *take_copy(struct config_memory *memory, const void *bytes, size_t size) {
  char *copy = take(memory, size + 1);
  memcpy(copy, bytes, size);
  copy[size] = '\0';
  return copy;
}

static struct config_memory *make_memory(const struct bo_plugin *descriptor, const struct bo_pair *parameters,
                                         size_t parameter_count, const struct bo_secret *secrets, size_t secret_count) {
  const size_t slack = sizeof(max_align_t) + 1;
  size_t size = (descriptor->param_count + 1) * sizeof(struct bo_value) + slack;
  for (size_t i = 0; i < parameter_count; i++)
    size += strlen(parameters[i].value) + sizeof(struct bo_pair) + 2 * slack;
  for (size_t i = 0; i < secret_count; i++)
    size += strlen(secrets[i].name) + secrets[i].size + sizeof(struct bo_secret) + 3 * slack;
  struct config_memory *memory = calloc(1, sizeof(*memory) + size + 3 * slack);
  if (memory != NULL) memory->size = size + 3 * slack;
  return memory;
}

void bo_config_free(struct bo_parsed_config *config) {
  struct config_memory *memory = config->memory;
  if (memory != NULL) OPENSSL_cleanse(memory->bytes, memory->size);
  free(memory);
  *config = (struct bo_parsed_config){.memory = NULL};
}

/* ---- parsing ---- */

static int take_parameters(const struct bo_plugin *descriptor, const struct bo_param *params,
                           const struct bo_pair *parameters, size_t count, struct bo_value *values,
                           struct bo_parsed_config *config, struct bo_error *error) {
  struct bo_pair *repeated = take(config->memory, (count + 1) * sizeof(*repeated));
  config->table.repeated = repeated;
  for (size_t i = 0; i < count; i++) {
    int index = find(descriptor, params, parameters[i].name);
    if (index < 0) return unknown_key(descriptor, params, parameters[i].name, error);
    const struct bo_param *param = &params[index];
    if ((param->flags & BO_PARAM_SECRET) != 0)
      return bo_error_set(error, BO_CLASS_CONFIG, 0,
                          "parameter %s: is a secret and must not stand among the parameters: put it into the secret "
                          "under the name %s",
                          param->key, param->key);
    const char *text = take_copy(config->memory, parameters[i].value, strlen(parameters[i].value));
    bool is_repeated = (param->flags & BO_PARAM_REPEATED) != 0;
    if (values[index].is_set && !is_repeated)
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "parameter %s: is given twice", param->key);
    struct bo_value value = {.is_set = 0};
    if (parse_value(param, text, &value, error) != BO_OK) return BO_ERROR;
    if (!values[index].is_set) values[index] = value;
    if (is_repeated) repeated[config->table.repeated_count++] = (struct bo_pair){param->key, text};
  }
  return BO_OK;
}

static int take_secrets(const struct bo_plugin *descriptor, const struct bo_param *params,
                        const struct bo_secret *secrets, size_t count, struct bo_value *values,
                        struct bo_parsed_config *config, struct bo_error *error) {
  struct bo_secret *copies = take(config->memory, (count + 1) * sizeof(*copies));
  config->table.secrets = copies;
  for (size_t i = 0; i < count; i++) {
    struct bo_secret *copy = &copies[config->table.secret_count++];
    copy->name = take_copy(config->memory, secrets[i].name, strlen(secrets[i].name));
    copy->bytes = take_copy(config->memory, secrets[i].bytes, secrets[i].size);
    copy->size = secrets[i].size;
    int index = find(descriptor, params, copy->name);
    if (index < 0 || (params[index].flags & BO_PARAM_SECRET) == 0) continue;
    if (values[index].is_set && (params[index].flags & BO_PARAM_REPEATED) == 0)
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "secret %s: is given twice", copy->name);
    if (!values[index].is_set && parse_value(&params[index], (const char *)copy->bytes, &values[index], error) != BO_OK)
      return BO_ERROR;
  }
  return BO_OK;
}

static int fill_defaults(const struct bo_plugin *descriptor, const struct bo_param *params, struct bo_value *values,
                         struct bo_error *error) {
  for (uint32_t i = 0; i < descriptor->param_count; i++) {
    if (values[i].is_set) continue;
    if (params[i].default_value != NULL) {
      if (parse_value(&params[i], params[i].default_value, &values[i], error) != BO_OK) return BO_ERROR;
    } else if ((params[i].flags & BO_PARAM_REQUIRED) != 0) {
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s %s: is required (%s)",
                          (params[i].flags & BO_PARAM_SECRET) != 0 ? "secret" : "parameter", params[i].key,
                          params[i].description == NULL ? "" : params[i].description);
    }
  }
  return BO_OK;
}

int bo_config_parse(const struct bo_plugin *descriptor, const struct bo_param *params, const struct bo_pair *parameters,
                    size_t parameter_count, const struct bo_secret *secrets, size_t secret_count,
                    struct bo_parsed_config *config, struct bo_error *error) {
  *config = (struct bo_parsed_config){.table = {.header = BO_HEADER(struct bo_config)}};
  config->memory = make_memory(descriptor, parameters, parameter_count, secrets, secret_count);
  if (config->memory == NULL) return bo_error_no_memory(error);
  struct bo_value *values = take(config->memory, (descriptor->param_count + 1) * sizeof(*values));
  config->table.values = values;
  config->table.value_count = descriptor->param_count;
  int result = take_parameters(descriptor, params, parameters, parameter_count, values, config, error);
  if (result == BO_OK) result = take_secrets(descriptor, params, secrets, secret_count, values, config, error);
  if (result == BO_OK) result = fill_defaults(descriptor, params, values, error);
  if (result == BO_OK) return BO_OK;
  bo_error_prefix(error, "%s-%s", bo_kind_name(descriptor->kind), descriptor->name);
  bo_config_free(config);
  return BO_ERROR;
}
