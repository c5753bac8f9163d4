/* crypt-age/bech32.h - Bech32 (BIP 173, without its limit of 90 characters): how age writes its keys. */
#ifndef CRYPT_AGE_BECH32_H
#define CRYPT_AGE_BECH32_H

#include <stddef.h>

#define AGE_BECH32_PREFIX_MAX 32 /* with its NUL */
#define AGE_BECH32_BYTES 32      /* every key of age's has this size */

enum age_bech32 {
  AGE_BECH32_OK,
  AGE_BECH32_NO_PREFIX, /* there is no "1", or the part before it is empty or longer than any of age's */
  AGE_BECH32_CASE,      /* upper and lower case are mixed */
  AGE_BECH32_CHARACTER, /* a character that the alphabet has not */
  AGE_BECH32_CHECKSUM,  /* mistyped or cut */
  AGE_BECH32_LENGTH     /* sound, but not the 32 bytes of a key */
};

/* Splits `text` and decodes it. `prefix` (in lower case) is filled whenever there is one, whatever else is wrong. */
enum age_bech32 age_bech32_decode(const char *text, size_t size, char prefix[AGE_BECH32_PREFIX_MAX],
                                  unsigned char bytes[AGE_BECH32_BYTES]);

/* What is wrong, as the end of a sentence. Static. */
const char *age_bech32_reason(enum age_bech32 result);

#endif
