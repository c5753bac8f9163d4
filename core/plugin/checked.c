/* What follows every call of a plugin, whatever its kind: the trace line, and a result that can be relied on. */
#include "core/plugin/checked_internal.h"

static const char *result_name(int result) {
  static const char *const names[] = {"ok", "retry", "error", "again", "need input", "done"};
  return result >= BO_OK && result <= BO_DONE ? names[result] : "nonsense";
}

const char *bo_checked_detail(char detail[BO_DETAIL_MAX], const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)vsnprintf(detail, BO_DETAIL_MAX, format, args);
  va_end(args);
  return detail;
}

int bo_checked_broke(struct bo_plugin_host *host, atomic_bool *broken, struct bo_error *error, const char *format,
                     ...) {
  char text[600];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  atomic_store(broken, true);
  return bo_error_set(error, BO_CLASS_INTERNAL, 0, "the plugin %s broke its contract: %s", host->source, text);
}

int bo_checked_refuse(const struct bo_plugin_host *host, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_INTERNAL, 0, "the plugin %s broke its contract before and is not called again",
                      host->source);
}

int bo_checked_result(struct bo_plugin_host *host, atomic_bool *broken, const char *function, const char *detail,
                      int result, unsigned allowed, struct bo_error *error) {
  bool failed = result == BO_RETRY || result == BO_ERROR;
  if (failed) {
    error->size = sizeof(*error);
    error->text[sizeof(error->text) - 1] = '\0';
    error->provider_code[sizeof(error->provider_code) - 1] = '\0';
  }
  bo_log_printf(host->log, BO_LOG_DEBUG, host->source, "%s(%s) = %s%s%s", function, detail, result_name(result),
                failed ? ": " : "", failed ? error->text : "");
  if (result < 0 || result > BO_DONE || (allowed & (1U << (unsigned)result)) == 0)
    return bo_checked_broke(host, broken, error, "%s() answered %d", function, result);
  if (!failed) return result;
  int error_class = error->error_class;
  if (error->text[0] == '\0')
    (void)bo_error_set(error, BO_CLASS_INTERNAL, error->code, "%s: %s() failed without saying why", host->source,
                       function);
  bool known = error_class > BO_CLASS_NONE && error_class <= BO_CLASS_INTERNAL;
  error->error_class = known ? error_class : BO_CLASS_INTERNAL;
  return result;
}
