/* crypt-age/keys.c - lists of recipients and identities: reading their texts, and finding the identity that fits. */
#include "plugins/crypt-age/keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "core/base/error.h"
#include "plugins/crypt-age/bech32.h"

static const struct age_kind *const kinds[] = {&age_kind_x25519, &age_kind_ssh_ed25519, &age_kind_ssh_rsa,
                                               &age_kind_scrypt};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

void age_keys_init(struct age_keys *keys, const struct bo_host *host) {
  *keys = (struct age_keys){.host = host};
  keys->last = &keys->first;
}

static void free_key(const struct bo_host *host, struct age_key *key) {
  EVP_PKEY_free(key->rsa);
  if (key->passphrase != NULL) {
    OPENSSL_cleanse(key->passphrase, key->passphrase_size);
    host->free(host->context, key->passphrase);
  }
  OPENSSL_cleanse(key, sizeof(*key));
  host->free(host->context, key);
}

void age_keys_free(struct age_keys *keys) {
  while (keys->first != NULL) {
    struct age_key *next = keys->first->next;
    free_key(keys->host, keys->first);
    keys->first = next;
  }
  age_keys_init(keys, keys->host);
}

/* A new, empty key at the end of the list, or NULL. */
static struct age_key *add_key(struct age_keys *keys, struct bo_error *error) {
  struct age_key *key = keys->host->alloc(keys->host->context, sizeof(*key));
  if (key == NULL) {
    (void)bo_error_no_memory(error);
    return NULL;
  }
  memset(key, 0, sizeof(*key));
  *keys->last = key;
  keys->last = &key->next;
  keys->count++;
  return key;
}

/* ---- lines ---- */

static bool begins_with(struct age_slice text, const char *prefix) {
  size_t size = strlen(prefix);
  return text.size >= size && memcmp(text.bytes, prefix, size) == 0;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

/* The next line that is neither blank nor a comment, without blanks at its ends; counts them all in *number. */
static bool next_line(struct age_slice *text, struct age_slice *line, unsigned *number) {
  while (text->size > 0) {
    const char *newline = memchr(text->bytes, '\n', text->size);
    *line = (struct age_slice){text->bytes, newline != NULL ? (size_t)(newline - text->bytes) : text->size};
    size_t used = line->size + (newline != NULL);
    text->bytes += used;
    text->size -= used;
    (*number)++;
    while (line->size > 0 && is_blank(line->bytes[line->size - 1]))
      line->size--;
    while (line->size > 0 && is_blank(line->bytes[0])) {
      line->bytes++;
      line->size--;
    }
    if (line->size > 0 && line->bytes[0] != '#') return true;
  }
  return false;
}

/* ---- recipients ---- */

static int read_age_recipient(struct age_key *key, struct age_slice line, struct bo_error *error) {
  char prefix[AGE_BECH32_PREFIX_MAX];
  enum age_bech32 result = age_bech32_decode(line.bytes, line.size, prefix, key->point);
  key->kind = &age_kind_x25519;
  if (strcmp(prefix, "age1pq") == 0)
    return bo_error_set(
        error, BO_CLASS_UNSUPPORTED, 0,
        "post-quantum recipients (age1pq1...) need ML-KEM-768, which this OpenSSL has not; use one that "
        "`age-keygen` without -pq makes");
  if (strncmp(prefix, "age1", 4) == 0)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                        "it is for the age plugin \"%s\", and plugins of age are not supported", prefix + 4);
  if (result != AGE_BECH32_OK) return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s", age_bech32_reason(result));
  return BO_OK;
}

static int read_recipient(struct age_key *key, struct age_slice line, struct bo_error *error) {
  static const struct {
    const char *begin;
    const char *reason;
  } refused[] = {
      {"AGE-SECRET-KEY-", "it is a private key: give its public half (`age-keygen -y`), and take this one for exposed"},
      {"AGE-PLUGIN-", "it is an identity of an age plugin; give a recipient (age1...)"},
      {"-----BEGIN ", "it is a private key or a file; give a public key (age1..., ssh-ed25519 ..., ssh-rsa ...)"},
      {"github:", "keys are not fetched from the network; give the keys themselves"},
  };
  for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
    if (begins_with(line, refused[i].begin))
      return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "%s", refused[i].reason);
  if (begins_with(line, "age1")) return read_age_recipient(key, line, error);
  if (begins_with(line, "ssh-") || begins_with(line, "ecdsa-") || begins_with(line, "sk-"))
    return age_ssh_public_key(key, line.bytes, line.size, error);
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "it is none of age1..., ssh-ed25519 ..., ssh-rsa ...");
}

/* Puts the place before the error: which value, which line of it, and how a public key begins. */
static void locate(struct bo_error *error, const char *what, unsigned number, unsigned line_number,
                   struct age_slice line) {
  char place[32] = "", quote[48] = "";
  if (line_number > 0) (void)snprintf(place, sizeof(place), ", line %u", line_number);
  if (begins_with(line, "age1") || begins_with(line, "ssh-"))
    (void)snprintf(quote, sizeof(quote), " (%.*s...)", line.size < 24 ? (int)line.size : 24, line.bytes);
  bo_error_prefix(error, "age: %s %u%s%s", what, number, place, quote);
}

int age_keys_add_recipients(struct age_keys *keys, const char *text, unsigned number, struct bo_error *error) {
  struct age_slice rest = {text, strlen(text)}, line;
  bool several = strchr(text, '\n') != NULL;
  unsigned line_number = 0;
  while (next_line(&rest, &line, &line_number)) {
    struct age_key *key = add_key(keys, error);
    if (key == NULL) return BO_ERROR;
    if (read_recipient(key, line, error) == BO_OK) continue;
    locate(error, "recipient", number, several ? line_number : 0, line);
    return BO_ERROR;
  }
  return BO_OK;
}

/* ---- identities ---- */

static int read_age_identity(struct age_key *key, struct age_slice line, struct bo_error *error) {
  char prefix[AGE_BECH32_PREFIX_MAX];
  key->kind = &age_kind_x25519;
  enum age_bech32 result = age_bech32_decode(line.bytes, line.size, prefix, key->scalar);
  if (result == AGE_BECH32_OK && (strcmp(prefix, "age-secret-key-") != 0 || line.bytes[0] != 'A'))
    result = AGE_BECH32_NO_PREFIX;
  if (result != AGE_BECH32_OK) return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s", age_bech32_reason(result));
  if (!age_x25519_public(key->scalar, key->point))
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "OpenSSL cannot use it");
  return BO_OK;
}

/* Why something that stands where an identity should is none, or NULL. */
static const char *refused_identity(struct age_slice line) {
  static const struct {
    const char *begin;
    const char *reason;
  } refused[] = {
      {"AGE-SECRET-KEY-PQ-",
       "it is a post-quantum identity, which needs ML-KEM-768, and this OpenSSL has not; decrypt "
       "with age 1.3 or newer, or give another identity"},
      {"AGE-PLUGIN-", "it is for an age plugin, and plugins of age are not supported"},
      {"age-encryption.org/", "it is encrypted with age; decrypt it first (`age -d`)"},
      {"-----BEGIN AGE ENCRYPTED FILE-----", "it is encrypted with age; decrypt it first (`age -d`)"},
      {"age1", "it is a public key; the private one (AGE-SECRET-KEY-1...) is needed"},
      {"ssh-", "it is a public key; the private one is needed"},
  };
  for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
    if (begins_with(line, refused[i].begin)) return refused[i].reason;
  return NULL;
}

int age_keys_add_identities(struct age_keys *keys, const char *text, size_t size, unsigned number,
                            struct bo_error *error) {
  struct age_slice rest = {text, size}, line;
  unsigned line_number = 0, found = 0;
  for (; next_line(&rest, &line, &line_number); found++) {
    struct age_key *key = add_key(keys, error);
    if (key == NULL) return BO_ERROR;
    const char *refused = refused_identity(line);
    bool pem = begins_with(line, "-----BEGIN ");
    int result;
    if (refused != NULL)
      result = bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "%s", refused);
    else if (pem)
      result = age_ssh_private_key(key, keys->host, line.bytes, (size_t)(text + size - line.bytes), error);
    else
      result = read_age_identity(key, line, error);
    if (result == BO_OK && pem) return BO_OK; /* it was the rest of the text */
    if (result == BO_OK) continue;
    locate(error, "identity", number, line_number, (struct age_slice){"", 0});
    return BO_ERROR;
  }
  if (found > 0) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0,
                      "age: identity %u holds no key: it has only comments or blank lines, or is empty", number);
}

int age_keys_add_passphrase(struct age_keys *keys, const void *bytes, size_t size, unsigned work_factor_max,
                            struct bo_error *error) {
  const char *text = bytes;
  if (size > 0 && text[size - 1] == '\n') size--; /* editors and echo add it; age's passphrases are single lines */
  if (size > 0 && text[size - 1] == '\r') size--;
  if (size == 0) return bo_error_set(error, BO_CLASS_CONFIG, 0, "age: the passphrase is empty");
  struct age_key *key = add_key(keys, error);
  if (key == NULL) return BO_ERROR;
  key->kind = &age_kind_scrypt;
  key->work_factor_max = work_factor_max;
  key->passphrase = keys->host->alloc(keys->host->context, size);
  if (key->passphrase == NULL) return bo_error_no_memory(error);
  memcpy(key->passphrase, text, size);
  key->passphrase_size = size;
  return BO_OK;
}

/* ---- which identity fits ---- */

/* The recipients of a header by type, as "2 X25519, 1 ssh-rsa, 1 of another type". Foreign names are not repeated. */
static void describe_recipients(const struct age_header *header, char *text, size_t capacity) {
  size_t counts[KIND_COUNT + 1] = {0}, position = 0, used = 0;
  struct age_stanza stanza;
  while (age_header_next(header, &position, &stanza)) {
    size_t kind = 0;
    while (kind < KIND_COUNT && !age_slice_is(stanza.type, kinds[kind]->type))
      kind++;
    counts[kind]++;
  }
  text[0] = '\0';
  for (size_t kind = 0; kind <= KIND_COUNT && used < capacity; kind++)
    if (counts[kind] > 0)
      used += (size_t)snprintf(text + used, capacity - used, "%s%zu %s", used > 0 ? ", " : "", counts[kind],
                               kind < KIND_COUNT ? kinds[kind]->type : "of another type");
}

static int no_match(const struct age_keys *keys, const struct age_header *header, struct bo_error *error) {
  char recipients[192];
  bool have_passphrase = false;
  for (const struct age_key *key = keys->first; key != NULL; key = key->next)
    have_passphrase |= key->kind == &age_kind_scrypt;
  if (header->scrypt_count > 0)
    return bo_error_set(error, BO_CLASS_AUTH, 0, "age: the file is encrypted with a passphrase; %s",
                        have_passphrase ? "the one given is wrong" : "give it as `passphrase`");
  describe_recipients(header, recipients, sizeof(recipients));
  return bo_error_set(error, BO_CLASS_AUTH, 0,
                      "age: none of the keys given (%zu) opens the file: it is encrypted to %zu recipient%s (%s); give "
                      "the identity, the private key, of one of them",
                      keys->count, header->stanza_count, header->stanza_count == 1 ? "" : "s", recipients);
}

int age_keys_unwrap(const struct age_keys *keys, const struct age_header *header,
                    unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error) {
  struct age_stanza stanza;
  for (const struct age_key *key = keys->first; key != NULL; key = key->next) {
    size_t position = 0;
    while (age_header_next(header, &position, &stanza)) {
      if (!age_slice_is(stanza.type, key->kind->type)) continue;
      if (keys->host->cancelled(keys->host->context) != 0)
        return bo_error_set(error, BO_CLASS_CANCELLED, 0, "age: cancelled while looking for the key that fits");
      enum age_match match = key->kind->unwrap(key, &stanza, file_key, error);
      if (match != AGE_NO_MATCH) return match == AGE_MATCH ? BO_OK : BO_ERROR;
    }
  }
  return no_match(keys, header, error);
}
