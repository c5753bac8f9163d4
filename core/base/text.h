/* core/base/text.h - small things done with text. */
#ifndef BO_BASE_TEXT_H
#define BO_BASE_TEXT_H

#include "core/base/buffer.h"

/* Lower-case hexadecimal of `size` bytes; `text` has room for 2 * size + 1. */
void bo_hex(const void *bytes, size_t size, char *text);

/* A byte count for people, in binary units: "0 B", "512 B", "1.5 KiB", "20.0 GiB". `text` has room for 32. */
void bo_human_size(uint64_t bytes, char text[32]);

/* Appends foreign bytes as safe text: valid UTF-8 is kept, but for control characters (C0 other than tab and newline,
 * DEL, C1), which are dropped as whole ANSI escape sequences or single; what is no UTF-8 becomes U+FFFD. */
bool bo_append_printable(struct bo_buffer *out, const void *bytes, size_t size);

/* True when `text` is valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool bo_is_utf8(const void *bytes, size_t size);

/* How many single-character edits lie between two words: for "did you mean". */
unsigned bo_edit_distance(const char *a, const char *b);

/* A whole decimal number with an optional sign, and nothing else. */
bool bo_parse_int64(const char *text, int64_t *value);

/* A random UUID (RFC 4122 version 4), 36 characters and NUL. False without randomness. */
bool bo_random_uuid(char text[37]);

#endif
