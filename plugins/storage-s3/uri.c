/*
 * plugins/storage-s3/uri.c - the one encoder of addresses: what is sent and what is signed come from here, so they
 * cannot differ.
 */
#include "core/base/error.h"
#include "plugins/storage-s3/storage-s3.h"

static bool is_unreserved(unsigned char byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
         byte == '.' || byte == '_' || byte == '~';
}

void s3_uri_encode(struct bo_buffer *out, const char *text, bool slashes) {
  for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
    if (is_unreserved(*at) || (slashes && *at == '/'))
      (void)bo_buffer_append(out, at, 1);
    else
      (void)bo_buffer_printf(out, "%%%02X", *at);
  }
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Below every encoded character, so that sorting whole pairs sorts by name, then by value. "=" is not. */
#define SEPARATOR '\x01'

int s3_uri_query(struct bo_buffer *out, const struct bo_pair *pairs, size_t count, struct bo_error *error) {
  char *encoded[S3_QUERY_MAX] = {NULL};
  bool failed = false;
  for (size_t i = 0; i < count; i++) {
    struct bo_buffer pair = BO_BUFFER_INIT;
    s3_uri_encode(&pair, pairs[i].name, false);
    (void)bo_buffer_printf(&pair, "%c", SEPARATOR);
    s3_uri_encode(&pair, pairs[i].value, false);
    failed = failed || pair.failed;
    encoded[i] = bo_buffer_take(&pair);
    failed = failed || encoded[i] == NULL;
  }
  if (!failed) {
    qsort(encoded, count, sizeof(encoded[0]), by_text);
    for (size_t i = 0; i < count; i++) {
      *strchr(encoded[i], SEPARATOR) = '=';
      (void)bo_buffer_printf(out, "%s%s", i == 0 ? "" : "&", encoded[i]);
    }
  }
  for (size_t i = 0; i < count; i++)
    free(encoded[i]);
  return failed || out->failed ? bo_error_no_memory(error) : BO_OK;
}

static int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

bool s3_uri_decode(char *text) {
  char *to = text;
  for (const char *at = text; *at != '\0'; at++) {
    if (*at != '%') {
      *to++ = *at == '+' ? ' ' : *at;
      continue;
    }
    int high = hex_digit(at[1]);
    int low = high < 0 ? -1 : hex_digit(at[2]);
    if (low < 0 || (high == 0 && low == 0)) return false;
    *to++ = (char)(high * 16 + low);
    at += 2;
  }
  *to = '\0';
  return true;
}
