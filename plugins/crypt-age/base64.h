/* crypt-age/base64.h - base64 (RFC 4648, section 4) as age's header has it: no padding, no line ends, and strict:
 * what would not be written again in the same way is refused. */
#ifndef CRYPT_AGE_BASE64_H
#define CRYPT_AGE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* How long the text of `size` bytes is, and how many bytes a text of `size` characters can hold. */
#define AGE_BASE64_TEXT_SIZE(size) (((size)*4 + 2) / 3)
#define AGE_BASE64_BYTES_SIZE(size) ((size) / 4 * 3 + 2)

/* Decodes `size` characters into at most `capacity` bytes; `bytes` may be where `text` is. False when the text is not
 * canonical or does not fit. */
bool age_base64_decode(const char *text, size_t size, void *bytes, size_t capacity, size_t *bytes_size);

/* Writes AGE_BASE64_TEXT_SIZE(size) characters, without a NUL. */
void age_base64_encode(const void *bytes, size_t size, char *text);

#endif
