/*
 * core/base/error.h - errors inside the core are the ABI's `struct bo_error`: one shape from a plugin's depth to the
 * run's result. Functions return enum bo_result and fill one.
 */
#ifndef BO_BASE_ERROR_H
#define BO_BASE_ERROR_H

#include <backup-operator/abi.h>

/* The class as a word for JSON and tests ("corrupt"); "unknown" for a number that is none. Static. */
const char *bo_error_class_name(int error_class);

/* The class of an errno value (ENOSPC is no-space, ENOENT not-found, ...; else io). */
int bo_error_class_of_errno(int code);

/* Fills `error` from errno value `code` and "<what>: <strerror>". Returns BO_ERROR. */
int bo_error_errno(struct bo_error *error, int code, const char *format, ...) BO_PRINTF(3, 4);

#ifdef __clang_analyzer__
#define bo_error_errno(...) ((void)(bo_error_errno)(__VA_ARGS__), BO_ERROR)
#endif

/* Puts "<prefix>: " before the text. */
void bo_error_prefix(struct bo_error *error, const char *format, ...) BO_PRINTF(2, 3);

/* Out of memory, as an error. Returns BO_ERROR. */
int bo_error_no_memory(struct bo_error *error);

#endif
