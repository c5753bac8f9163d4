/* core/plugin/checked_internal.h - what the checked wrappers of all kinds share. */
#ifndef BO_PLUGIN_CHECKED_INTERNAL_H
#define BO_PLUGIN_CHECKED_INTERNAL_H

#include "core/plugin/checked.h"

/* The end of every call: a trace line, `function(detail) = result`, and the result checked. `allowed` is a set of bits
 * 1 << result. A result outside of it, or a failure without a text, is made into a proper error. */
int bo_checked_result(struct bo_plugin_host *host, atomic_bool *broken, const char *function, const char *detail,
                      int result, unsigned allowed, struct bo_error *error);

/* The plugin did something that its contract forbids: an error that says what. Marks the instance as broken. */
int bo_checked_broke(struct bo_plugin_host *host, atomic_bool *broken, struct bo_error *error, const char *format, ...)
    BO_PRINTF(4, 5);

/* After a broken contract nothing is called but what puts things away. */
int bo_checked_refuse(const struct bo_plugin_host *host, struct bo_error *error);

/* Byte counts and keys for the trace line; never contents. */
#define BO_DETAIL_MAX 160
const char *bo_checked_detail(char detail[BO_DETAIL_MAX], const char *format, ...) BO_PRINTF(2, 3);
#define BO_DETAIL(...) bo_checked_detail((char[BO_DETAIL_MAX]){0}, __VA_ARGS__)

#define BO_CALL_RESULTS ((1U << BO_OK) | (1U << BO_RETRY) | (1U << BO_ERROR))

/* Calls and checks. `error` is cleared before, so that an old text cannot pass for the new failure's. `detail` is
 * evaluated after the call. */
#define BO_CHECKED_CALL(host, broken, function, detail, call, error)                              \
  __extension__({                                                                                 \
    *(error) = (struct bo_error)BO_ERROR_INIT;                                                    \
    bo_plugin_host_enter((host), (function));                                                     \
    int result_ = (call);                                                                         \
    bo_plugin_host_leave(host);                                                                   \
    bo_checked_result((host), (broken), (function), (detail), result_, BO_CALL_RESULTS, (error)); \
  })

/* A caller may pass NULL for an error it does not want; a plugin always gets one. */
#define BO_NEED_ERROR(error)                       \
  struct bo_error unwanted_error_ = BO_ERROR_INIT; \
  if ((error) == NULL) (error) = &unwanted_error_

/* Text that a plugin was to end with NUL, inside a fixed array. */
#define BO_IS_TERMINATED(array) (memchr((array), '\0', sizeof(array)) != NULL)

/* The same, and it may go into JSON, a header or a terminal as it is: UTF-8 without control characters. */
#define BO_IS_PLAIN(array) bo_checked_is_plain((array), sizeof(array))
bool bo_checked_is_plain(const char *text, size_t room);

#endif
