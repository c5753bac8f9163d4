/*
 * crypt-age/header.c - reading and writing of age's header (age-encryption.org/v1, "Header" and "Recipient stanza").
 *
 * The form is checked to the letter: base64 has one spelling, a body ends with the first line under 64 columns, no
 * carriage returns. So a header that was read is the one that was written, and the MAC covers its text as it stands.
 */
#include "plugins/crypt-age/header.h"

#include <openssl/crypto.h>
#include <string.h>

#include "core/base/error.h"
#include "plugins/crypt-age/base64.h"

#define INTRO "age-encryption.org/v1\n"
#define INTRO_SIZE (sizeof(INTRO) - 1)
#define VERSION_AT (sizeof("age-encryption.org/") - 1)
#define COLUMNS 64
#define MAC_TEXT_SIZE AGE_BASE64_TEXT_SIZE(AGE_KEY_SIZE)

int age_header_error(struct bo_error *error, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  if (vsnprintf(text, sizeof(text), format, args) < 0) text[0] = '\0';
  va_end(args);
  return bo_error_set(error, BO_CLASS_CORRUPT, 0, "age header: %s", text);
}

/* ---- text ---- */

int age_text_append(struct age_text *text, const void *bytes, size_t size, struct bo_error *error) {
  if (size == 0) return BO_OK; /* also of NULL: the end of the input */
  if (size > AGE_HEADER_MAX - text->size)
    return bo_error_set(error, text->too_long_class, 0,
                        "age header: it is longer than %d bytes, the most that is allowed%s", AGE_HEADER_MAX,
                        text->too_long_class == BO_CLASS_CONFIG ? "; give fewer recipients" : "");
  if (text->size + size > text->capacity) {
    size_t capacity = text->capacity == 0 ? 4096 : text->capacity;
    while (capacity < text->size + size)
      capacity *= 2;
    char *grown = text->host->realloc(text->host->context, text->bytes, capacity);
    if (grown == NULL) return bo_error_no_memory(error);
    text->bytes = grown;
    text->capacity = capacity;
  }
  memcpy(text->bytes + text->size, bytes, size);
  text->size += size;
  return BO_OK;
}

void age_text_free(struct age_text *text) {
  if (text->bytes != NULL) text->host->free(text->host->context, text->bytes);
  text->bytes = NULL;
  text->size = text->capacity = 0;
}

bool age_slice_is(struct age_slice slice, const char *text) {
  return slice.size == strlen(text) && memcmp(slice.bytes, text, slice.size) == 0;
}

/* ---- writing ---- */

int age_header_begin(struct age_text *text, struct bo_error *error) {
  return age_text_append(text, INTRO, INTRO_SIZE, error);
}

static int append_line(struct age_text *text, const char *line, size_t size, struct bo_error *error) {
  int result = age_text_append(text, line, size, error);
  return result == BO_OK ? age_text_append(text, "\n", 1, error) : result;
}

int age_header_add_stanza(struct age_text *text, const char *arguments, const void *body, size_t body_size,
                          struct bo_error *error) {
  char encoded[AGE_BASE64_TEXT_SIZE(AGE_STANZA_BODY_MAX)];
  if (body_size > AGE_STANZA_BODY_MAX)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "age header: a stanza of %zu bytes is too long", body_size);
  size_t left = AGE_BASE64_TEXT_SIZE(body_size);
  age_base64_encode(body, body_size, encoded);

  int result = age_text_append(text, "-> ", 3, error);
  if (result == BO_OK) result = append_line(text, arguments, strlen(arguments), error);
  const char *line = encoded;
  for (; result == BO_OK && left >= COLUMNS; line += COLUMNS, left -= COLUMNS)
    result = append_line(text, line, COLUMNS, error);
  return result == BO_OK ? append_line(text, line, left, error) : result; /* the short line that ends it */
}

/* HMAC under a key derived from the file key, over the header up to and with its "---". */
static bool mac_of(const char *text, size_t size, const unsigned char file_key[AGE_FILE_KEY_SIZE],
                   unsigned char mac[AGE_KEY_SIZE]) {
  unsigned char key[AGE_KEY_SIZE];
  bool ok = age_hkdf(file_key, AGE_FILE_KEY_SIZE, "", 0, "header", key) && age_hmac(key, sizeof(key), text, size, mac);
  OPENSSL_cleanse(key, sizeof(key));
  return ok;
}

int age_header_end(struct age_text *text, const unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error) {
  unsigned char mac[AGE_KEY_SIZE];
  char line[1 + MAC_TEXT_SIZE];
  int result = age_text_append(text, "---", 3, error);
  if (result != BO_OK) return result;
  if (!mac_of(text->bytes, text->size, file_key, mac))
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "age header: OpenSSL cannot compute its MAC");
  line[0] = ' ';
  age_base64_encode(mac, sizeof(mac), line + 1);
  return append_line(text, line, sizeof(line), error);
}

/* ---- reading ---- */

static int check_intro(const struct age_text *text, struct bo_error *error) {
  size_t size = text->size < INTRO_SIZE ? text->size : INTRO_SIZE;
  if (memcmp(text->bytes, INTRO, size) == 0) return BO_OK;
  if (size > VERSION_AT && memcmp(text->bytes, INTRO, VERSION_AT) == 0)
    return age_header_error(error, "its version is not v1, the only one known here");
  return age_header_error(error,
                          "this is not an age file: it does not begin with \"age-encryption.org/v1\". Was it "
                          "stored without encryption?");
}

int age_header_collect(struct age_text *text, struct bo_input *in, struct bo_error *error) {
  while (in->position < in->size) {
    /* Lines arrive in pieces: find where the current one began. */
    const char *before = text->size > 0 ? memrchr(text->bytes, '\n', text->size) : NULL;
    size_t line_at = before != NULL ? (size_t)(before - text->bytes) + 1 : 0;

    const unsigned char *from = in->bytes + in->position;
    const unsigned char *newline = memchr(from, '\n', in->size - in->position);
    size_t size = newline != NULL ? (size_t)(newline - from) + 1 : in->size - in->position;
    int result = age_text_append(text, from, size, error);
    if (result == BO_OK) result = check_intro(text, error);
    if (result != BO_OK) return result;
    in->position += size;
    if (newline != NULL && text->size - line_at > 3 && memcmp(text->bytes + line_at, "---", 3) == 0) return BO_OK;
  }
  return BO_NEED_INPUT;
}

/* The line at *position without its newline, moving it on. Every line of a collected header has a newline. */
static struct age_slice next_line(const struct age_header *header, size_t *position) {
  const char *from = header->text + *position;
  const char *newline = memchr(from, '\n', header->size - *position);
  struct age_slice line = {from, newline != NULL ? (size_t)(newline - from) : header->size - *position};
  *position += line.size + (newline != NULL);
  return line;
}

/* The next of the arguments that single blanks divide; false when it is empty or has a byte outside of 33 to 126. */
static bool next_argument(struct age_slice *line, struct age_slice *argument) {
  const char *blank = memchr(line->bytes, ' ', line->size);
  argument->bytes = line->bytes;
  argument->size = blank != NULL ? (size_t)(blank - line->bytes) : line->size;
  for (size_t i = 0; i < argument->size; i++)
    if (argument->bytes[i] < 33 || argument->bytes[i] > 126) return false;
  size_t used = argument->size + (blank != NULL);
  line->bytes += used;
  line->size -= used;
  return argument->size > 0 && !(blank != NULL && line->size == 0);
}

static const char *parse_arguments(struct age_slice line, struct age_stanza *stanza) {
  static const char *const malformed = "has an empty argument or one with a character that is not printable ASCII";
  struct age_slice argument;
  if (line.size < 3 || memcmp(line.bytes, "-> ", 3) != 0) return "does not begin with \"-> \"";
  line.bytes += 3;
  line.size -= 3;
  if (!next_argument(&line, &stanza->type)) return malformed;
  for (stanza->argument_count = 0; line.size > 0; stanza->argument_count++) {
    if (!next_argument(&line, &argument)) return malformed;
    if (stanza->argument_count < 2) stanza->arguments[stanza->argument_count] = argument;
  }
  return NULL;
}

static const char *parse_body(const struct age_header *header, size_t *position, struct age_stanza *stanza) {
  struct age_slice line;
  stanza->body_size = 0;
  do {
    unsigned char bytes[AGE_BASE64_BYTES_SIZE(COLUMNS)];
    size_t size;
    if (*position >= header->size) return "has no end";
    line = next_line(header, position);
    if (line.size > COLUMNS) return "has a line of more than 64 characters";
    if (!age_base64_decode(line.bytes, line.size, bytes, sizeof(bytes), &size)) return "has a line of no valid base64";
    if (size <= AGE_STANZA_BODY_MAX && stanza->body_size <= AGE_STANZA_BODY_MAX - size)
      memcpy(stanza->body + stanza->body_size, bytes, size);
    stanza->body_size += size;
  } while (line.size == COLUMNS);
  return NULL;
}

/* NULL, or what is wrong with the stanza at *position. */
static const char *parse_stanza(const struct age_header *header, size_t *position, struct age_stanza *stanza) {
  const char *wrong = parse_arguments(next_line(header, position), stanza);
  return wrong != NULL ? wrong : parse_body(header, position, stanza);
}

static int parse_mac(struct age_header *header, struct age_slice line, struct bo_error *error) {
  size_t size = 0;
  if (line.size != 4 + MAC_TEXT_SIZE || line.bytes[3] != ' ' ||
      !age_base64_decode(line.bytes + 4, MAC_TEXT_SIZE, header->mac, sizeof(header->mac), &size))
    return age_header_error(error, "its last line is malformed");
  return BO_OK;
}

int age_header_parse(const char *text, size_t size, struct age_header *header, struct bo_error *error) {
  struct age_stanza stanza;
  size_t position = INTRO_SIZE;
  *header = (struct age_header){.text = text, .size = size};
  if (size < INTRO_SIZE || memcmp(text, INTRO, INTRO_SIZE) != 0)
    return age_header_error(error, "its first line is malformed");
  while (size - position < 3 || memcmp(text + position, "---", 3) != 0) {
    if (position == size) return age_header_error(error, "it has no end");
    const char *wrong = parse_stanza(header, &position, &stanza);
    header->stanza_count++;
    if (wrong != NULL) return age_header_error(error, "stanza %zu %s", header->stanza_count, wrong);
    if (age_slice_is(stanza.type, "scrypt")) header->scrypt_count++;
  }
  header->mac_at = position;
  if (header->stanza_count == 0) return age_header_error(error, "it has no stanza: nobody could open the file");
  if (header->scrypt_count > 0 && header->stanza_count > 1)
    return age_header_error(error, "it has a passphrase (scrypt) beside other recipients, which the format forbids");
  return parse_mac(header, next_line(header, &position), error);
}

bool age_header_next(const struct age_header *header, size_t *position, struct age_stanza *stanza) {
  if (*position == 0) *position = INTRO_SIZE;
  return *position < header->mac_at && parse_stanza(header, position, stanza) == NULL;
}

int age_header_verify(const struct age_header *header, const unsigned char file_key[AGE_FILE_KEY_SIZE],
                      struct bo_error *error) {
  unsigned char mac[AGE_KEY_SIZE];
  if (!mac_of(header->text, header->mac_at + 3, file_key, mac))
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "age header: OpenSSL cannot compute its MAC");
  if (CRYPTO_memcmp(mac, header->mac, sizeof(mac)) != 0)
    return age_header_error(error, "its MAC is wrong: the header was altered after it was written");
  return BO_OK;
}
