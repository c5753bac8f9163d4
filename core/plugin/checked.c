#include "core/plugin/checked_internal.h"

static const char *result_name(int result) {
  static const char *const names[] = {"ok", "retry", "error", "again", "need input", "done"};
  return result >= BO_OK && result <= BO_DONE ? names[result] : "nonsense";
}

int bo_checked_broke(struct bo_plugin_host *host, bool *broken, struct bo_error *error, const char *format, ...) {
  char text[600];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  *broken = true;
  return bo_error_set(error, BO_CLASS_INTERNAL, 0, "the plugin %s broke its contract: %s", host->source, text);
}

int bo_checked_leave(struct bo_plugin_host *host, bool *broken, const char *function, int result, unsigned allowed,
                     struct bo_error *error) {
  bo_plugin_host_leave(host);
  bo_log_printf(host->log, BO_LOG_DEBUG, host->source, "%s = %s", function, result_name(result));
  if (result < 0 || result > BO_DONE || (allowed & (1U << (unsigned)result)) == 0)
    return bo_checked_broke(host, broken, error, "%s() answered %d", function, result);
  if (result != BO_RETRY && result != BO_ERROR) return result;
  error->text[sizeof(error->text) - 1] = '\0';
  error->provider_code[sizeof(error->provider_code) - 1] = '\0';
  if (error->text[0] == '\0')
    (void)bo_error_set(error, BO_CLASS_INTERNAL, 0, "%s failed without saying why", host->source);
  if (error->error_class <= BO_CLASS_NONE || error->error_class > BO_CLASS_INTERNAL)
    error->error_class = BO_CLASS_INTERNAL;
  return result;
}
