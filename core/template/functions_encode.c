/* sprig's hashes, and base64 and base32 (RFC 4648). */
#include <openssl/evp.h>

#include "core/base/text.h"
#include "core/template/internal.h"

static struct value digest(struct render *render, const EVP_MD *algorithm, struct text text) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  char hex[2 * EVP_MAX_MD_SIZE + 1];
  if (EVP_Digest(text.bytes, text.size, bytes, &size, algorithm, NULL) != 1)
    render_fail(render, "OpenSSL at hand refuses this hash");
  bo_hex(bytes, size, hex);
  return value_text(text_copy(render, hex, strlen(hex)));
}

FUNCTION(fn_sha1sum) {
  return digest(render, EVP_sha1(), args[0].text);
}

FUNCTION(fn_sha256sum) {
  return digest(render, EVP_sha256(), args[0].text);
}

FUNCTION(fn_sha512sum) {
  return digest(render, EVP_sha512(), args[0].text);
}

/* RFC 1950, in decimal. */
FUNCTION(fn_adler32sum) {
  uint32_t a = 1, b = 0;
  for (size_t i = 0; i < args[0].text.size; i++) {
    a = (a + (unsigned char)args[0].text.bytes[i]) % 65521;
    b = (b + a) % 65521;
  }
  struct builder builder = BUILDER(render);
  build_printf(&builder, "%u", (unsigned)(b << 16 | a));
  return value_text(build_done(&builder));
}

/* A base of 2^bits in groups of `group` characters, the last one filled up with =. */
struct base {
  const char *name;
  const char *alphabet;
  unsigned bits;
  size_t group;
};

static const struct base base64 = {"base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6, 4};
static const struct base base32 = {"base32", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 5, 8};

static struct value encode(struct render *render, const struct base *base, struct text text) {
  struct builder builder = BUILDER(render);
  uint32_t bits = 0;
  unsigned held = 0;
  for (size_t i = 0; i < text.size; i++) {
    bits = bits << 8 | (unsigned char)text.bytes[i];
    for (held += 8; held >= base->bits; held -= base->bits)
      build_bytes(&builder, &base->alphabet[bits >> (held - base->bits) & ((1u << base->bits) - 1)], 1);
  }
  if (held > 0) build_bytes(&builder, &base->alphabet[bits << (base->bits - held) & ((1u << base->bits) - 1)], 1);
  while (builder.size % base->group != 0)
    build_string(&builder, "=");
  return value_text(build_done(&builder));
}

/* sprig returns a decoding error as if it were the text. */
static struct value illegal(struct render *render, const struct base *base, size_t at) {
  struct builder builder = BUILDER(render);
  build_printf(&builder, "illegal %s data at input byte %zu", base->name, at);
  return value_text(build_done(&builder));
}

/* Whether a last group of so many characters holds whole bytes: of 2 or 3 in base64, of 2, 4, 5 or 7 in base32. */
static bool is_last_group(const struct base *base, size_t size) {
  return size * base->bits % 8 < base->bits && size > 0;
}

static struct value decode(struct render *render, const struct base *base, struct text text) {
  struct builder builder = BUILDER(render);
  uint32_t bits = 0;
  unsigned held = 0;
  size_t size = 0, pads = 0; /* characters but for line ends */
  for (size_t i = 0; i < text.size; i++) {
    char c = text.bytes[i];
    if (c == '\r' || c == '\n') continue;
    const char *digit = c == '\0' ? NULL : strchr(base->alphabet, c);
    if (c == '=' && is_last_group(base, (size - pads) % base->group) && (size + 1 - pads) > 0)
      pads++;
    else if (digit == NULL || pads > 0)
      return illegal(render, base, i);
    size++;
    if (pads > 0) continue;
    bits = bits << base->bits | (uint32_t)(digit - base->alphabet);
    held += base->bits;
    if (held < 8) continue;
    held -= 8;
    build_bytes(&builder, &(char){(char)(bits >> held)}, 1);
  }
  size_t over = size % base->group;
  if (over != 0) return illegal(render, base, text.size - over);
  if (pads >= base->group) return illegal(render, base, text.size - pads);
  return value_text(build_done(&builder));
}

FUNCTION(fn_b64enc) {
  return encode(render, &base64, args[0].text);
}

FUNCTION(fn_b64dec) {
  return decode(render, &base64, args[0].text);
}

FUNCTION(fn_b32enc) {
  return encode(render, &base32, args[0].text);
}

FUNCTION(fn_b32dec) {
  return decode(render, &base32, args[0].text);
}

const struct function functions_encode[] = {
    {"adler32sum", "s", fn_adler32sum}, {"b32dec", "s", fn_b32dec},       {"b32enc", "s", fn_b32enc},
    {"b64dec", "s", fn_b64dec},         {"b64enc", "s", fn_b64enc},       {"sha1sum", "s", fn_sha1sum},
    {"sha256sum", "s", fn_sha256sum},   {"sha512sum", "s", fn_sha512sum}, {NULL, NULL, NULL}};
