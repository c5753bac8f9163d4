/*
 * core/plugin/config.h - from names and texts to the typed configuration that a plugin gets, by its own table.
 *
 * From that one table come: the checks and their messages (an unknown key names the nearest one), defaults, help,
 * `describe`, and redaction.
 */
#ifndef BO_PLUGIN_CONFIG_H
#define BO_PLUGIN_CONFIG_H

#include "core/plugin/loader.h"

struct bo_parsed_config {
  struct bo_config table; /* what `open` gets; points into memory owned by this struct */
  void *memory;
};

/*
 * `parameters` are what the user gave; a name may occur more than once only where the table says so. `secrets` are
 * everything that the secret holds: a parameter that is marked secret takes its value from the secret of its name, and
 * giving it among the plain parameters is an error. Copies everything. The error names the parameter, what is wrong,
 * and what would be right; it never holds a secret's value.
 */
int bo_config_parse(const struct bo_plugin *descriptor, const struct bo_param *params, const struct bo_pair *parameters,
                    size_t parameter_count, const struct bo_secret *secrets, size_t secret_count,
                    struct bo_parsed_config *config, struct bo_error *error);

/* Frees it, cleansing the secrets. */
void bo_config_free(struct bo_parsed_config *config);

/* The texts of one value: used by bo_config_parse, and for the same notation elsewhere. */
bool bo_parse_bool(const char *text, bool *value);         /* Go's strconv.ParseBool */
bool bo_parse_size(const char *text, int64_t *bytes);      /* 4096, 64KiB, 16MiB, 5G */
bool bo_parse_seconds(const char *text, int64_t *seconds); /* 90, 90s, 15m, 2h, 1d */

#endif
