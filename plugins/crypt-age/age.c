/*
 * crypt-age/age.c - the plugin: encryption of a stream to age recipients, and its decryption, in the format
 * age-encryption.org/v1. What it writes, `age -d` reads.
 *
 * Encoding writes the header, which holds the file key sealed for every recipient, and then the payload in chunks.
 * Decoding collects the header, finds the identity that opens the file key, verifies the header with it, and then
 * gives out chunk after chunk, each only once it is authenticated.
 */
#include <backup-operator/plugin.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "core/base/error.h"
#include "plugins/crypt-age/armor.h"
#include "plugins/crypt-age/header.h"
#include "plugins/crypt-age/keys.h"
#include "plugins/crypt-age/stream.h"

#define ARMOR_BATCH 6144 /* bytes that are decoded from armor at a time */

enum param { PARAM_RECIPIENTS, PARAM_IDENTITY, PARAM_PASSPHRASE, PARAM_WORK_FACTOR_MAX, PARAM_COUNT };

static const struct bo_param params[PARAM_COUNT] = {
    [PARAM_RECIPIENTS] = {.key = "recipients",
                          .type = BO_TYPE_STRING,
                          .flags = BO_PARAM_REPEATED,
                          .description = "Whom to encrypt to, needed to encode: an age1..., ssh-ed25519 or ssh-rsa "
                                         "public key, or several, one a line, with # comments. May be given several "
                                         "times; each recipient alone can decrypt."},
    [PARAM_IDENTITY] = {.key = "identity",
                        .type = BO_TYPE_STRING,
                        .flags = BO_PARAM_SECRET | BO_PARAM_REPEATED,
                        .description = "A private key to decrypt with: the content of an age key file "
                                       "(AGE-SECRET-KEY-1...) or of an SSH private key without a passphrase. May be "
                                       "given several times; all are tried."},
    [PARAM_PASSPHRASE] = {.key = "passphrase",
                          .type = BO_TYPE_STRING,
                          .flags = BO_PARAM_SECRET,
                          .description = "The passphrase of a file that was encrypted with `age -p`; to decode only."},
    [PARAM_WORK_FACTOR_MAX] = {.key = "workFactorMax",
                               .type = BO_TYPE_INTEGER,
                               .default_value = "20",
                               .minimum = 1,
                               .maximum = AGE_WORK_FACTOR_LIMIT,
                               .description = "The most that a passphrase may cost: the key derivation uses 2^N KiB of "
                                              "memory, so 18 (what `age -p` writes) is 256 MiB and 20 is 1 GiB."},
};

struct age {
  const struct bo_host *host;
  int direction;
  struct age_keys identities;
  struct age_text header; /* decoding: what has come of it. Encoding: header and nonce, to be given out first */
  size_t header_given;
  bool header_whole; /* its last line has come; the nonce follows */
  bool begun;        /* decoding: the first byte was seen */
  bool armored;
  struct age_stream stream;
  struct age_armor armor;
  struct bo_output unarmored; /* over `batch`; what of it is not yet decoded begins at `unarmored_taken` */
  size_t unarmored_taken;
  unsigned char batch[ARMOR_BATCH];
};

static void age_close(void *instance) {
  struct age *age = instance;
  const struct bo_host *host = age->host;
  age_keys_free(&age->identities);
  age_text_free(&age->header);
  age_stream_close(&age->stream);
  OPENSSL_cleanse(age, sizeof(*age));
  host->free(host->context, age);
}

/* ---- encoding ---- */

static int read_recipients(const struct bo_config *config, struct age_keys *keys, struct bo_error *error) {
  unsigned number = 0;
  for (uint32_t i = 0; i < config->repeated_count; i++) {
    if (strcmp(config->repeated[i].name, params[PARAM_RECIPIENTS].key) != 0) continue;
    int result = age_keys_add_recipients(keys, config->repeated[i].value, ++number, error);
    if (result != BO_OK) return result;
  }
  if (keys->count > 0) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0,
                      "age: there is no recipient to encrypt to; give one or more as `recipients` (age1..., "
                      "ssh-ed25519 ... or ssh-rsa ...)");
}

static int write_header(struct age_text *text, const struct age_keys *keys,
                        const unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error) {
  int result = age_header_begin(text, error);
  for (const struct age_key *key = keys->first; result == BO_OK && key != NULL; key = key->next)
    result = key->kind->wrap(key, keys->host, file_key, text, error);
  return result == BO_OK ? age_header_end(text, file_key, error) : result;
}

static int begin_encoding(struct age *age, const struct age_keys *recipients, struct bo_error *error) {
  const struct bo_host *host = age->host;
  unsigned char file_key[AGE_FILE_KEY_SIZE], nonce[AGE_PAYLOAD_NONCE_SIZE];
  if (host->random(host->context, file_key, sizeof(file_key)) != 0 ||
      host->random(host->context, nonce, sizeof(nonce)) != 0)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0,
                        "age: the system gives no randomness, so nothing can be encrypted");
  int result = write_header(&age->header, recipients, file_key, error);
  if (result == BO_OK) result = age_text_append(&age->header, nonce, sizeof(nonce), error);
  if (result == BO_OK) result = age_stream_open(&age->stream, host, true, file_key, nonce, sizeof(nonce), error);
  OPENSSL_cleanse(file_key, sizeof(file_key));
  return result;
}

static int open_encoder(struct age *age, const struct bo_config *config, struct bo_error *error) {
  struct age_keys recipients;
  age_keys_init(&recipients, age->host);
  int result = read_recipients(config, &recipients, error);
  if (result == BO_OK) result = begin_encoding(age, &recipients, error);
  age_keys_free(&recipients);
  return result;
}

static int encode(struct age *age, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  size_t size = age->header.size - age->header_given, room = out->size - out->position;
  if (size > 0) {
    if (size > room) size = room;
    memcpy(out->bytes + out->position, age->header.bytes + age->header_given, size);
    out->position += size;
    age->header_given += size;
    if (age->header_given < age->header.size) return BO_AGAIN;
  }
  return age_stream_process(&age->stream, in, out, mode, error);
}

/* ---- decoding ---- */

static int open_decoder(struct age *age, const struct bo_config *config, struct bo_error *error) {
  unsigned number = 0, work_factor_max = (unsigned)config->values[PARAM_WORK_FACTOR_MAX].integer;
  for (uint32_t i = 0; i < config->secret_count; i++) {
    const struct bo_secret *secret = &config->secrets[i];
    int result = BO_OK;
    if (strcmp(secret->name, params[PARAM_IDENTITY].key) == 0)
      result = age_keys_add_identities(&age->identities, (const char *)secret->bytes, secret->size, ++number, error);
    else if (strcmp(secret->name, params[PARAM_PASSPHRASE].key) == 0)
      result = age_keys_add_passphrase(&age->identities, secret->bytes, secret->size, work_factor_max, error);
    if (result != BO_OK) return result;
  }
  if (age->identities.count > 0) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0,
                      "age: there is no key to decrypt with; give the private key as `identity`, or the `passphrase`");
}

/* Opens the file key and the payload with what was collected. The identities are not needed after it. */
static int begin_payload(struct age *age, struct bo_error *error) {
  unsigned char file_key[AGE_FILE_KEY_SIZE] = {0};
  struct age_header header;
  size_t header_size = age->header.size - AGE_PAYLOAD_NONCE_SIZE;
  int result = age_header_parse(age->header.bytes, header_size, &header, error);
  if (result == BO_OK) result = age_keys_unwrap(&age->identities, &header, file_key, error);
  if (result == BO_OK) result = age_header_verify(&header, file_key, error);
  if (result == BO_OK)
    result = age_stream_open(&age->stream, age->host, false, file_key, age->header.bytes + header_size,
                             AGE_PAYLOAD_NONCE_SIZE, error);
  OPENSSL_cleanse(file_key, sizeof(file_key));
  age_keys_free(&age->identities);
  age_text_free(&age->header);
  return result;
}

/* Takes header and nonce. BO_OK when the payload may begin. */
static int collect_header(struct age *age, struct bo_input *in, struct bo_error *error) {
  if (!age->header_whole) {
    int result = age_header_collect(&age->header, in, error);
    if (result != BO_OK) return result;
    age->header_whole = true;
    age->header_given = age->header.size; /* where the nonce begins */
  }
  size_t missing = AGE_PAYLOAD_NONCE_SIZE - (age->header.size - age->header_given), left = in->size - in->position;
  size_t size = missing < left ? missing : left;
  int result = age_text_append(&age->header, in->bytes + in->position, size, error);
  if (result != BO_OK) return result;
  in->position += size;
  return size == missing ? begin_payload(age, error) : BO_NEED_INPUT;
}

static int decode_bytes(struct age *age, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  if (age->stream.cipher == NULL) {
    int result = collect_header(age, in, error);
    if (result == BO_NEED_INPUT && mode == BO_END)
      return age_header_error(error, age->header.size == 0 ? "the file is empty" : "the file was cut in its header");
    if (result != BO_OK) return result;
  }
  return age_stream_process(&age->stream, in, out, mode, error);
}

static int decode_armor(struct age *age, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  for (;;) {
    int armor_result = BO_AGAIN;
    if (age->unarmored_taken == age->unarmored.position) {
      age->unarmored = (struct bo_output){age->batch, sizeof(age->batch), 0};
      age->unarmored_taken = 0;
    }
    armor_result = age_armor_decode(&age->armor, in, &age->unarmored, mode, error);
    if (armor_result == BO_ERROR) return armor_result;

    struct bo_input bytes = {age->batch, age->unarmored.position, age->unarmored_taken};
    int result = decode_bytes(age, &bytes, out, armor_result == BO_DONE ? BO_END : BO_CONTINUE, error);
    age->unarmored_taken = bytes.position;
    if (result != BO_NEED_INPUT || armor_result == BO_NEED_INPUT) return result;
  }
}

static int decode(struct age *age, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  if (!age->begun && in->position < in->size) {
    age->begun = true;
    age->armored = age_armor_begins(in->bytes[in->position]);
  }
  return age->armored ? decode_armor(age, in, out, mode, error) : decode_bytes(age, in, out, mode, error);
}

/* ---- the operations ---- */

static int age_open(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                    struct bo_error *error) {
  if (direction != BO_ENCODE && direction != BO_DECODE)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "age: direction %d is not known", direction);
  struct age *age = host->alloc(host->context, sizeof(*age));
  if (age == NULL) return bo_error_no_memory(error);
  memset(age, 0, sizeof(*age));
  age->host = host;
  age->direction = direction;
  age->header.host = host;
  age->header.too_long_class = direction == BO_ENCODE ? BO_CLASS_CONFIG : BO_CLASS_CORRUPT;
  age_keys_init(&age->identities, host);
  ERR_set_mark(); /* so that this thread's OpenSSL errors are left as they were */
  int result = direction == BO_ENCODE ? open_encoder(age, config, error) : open_decoder(age, config, error);
  ERR_pop_to_mark();
  if (result == BO_OK)
    *instance = age;
  else
    age_close(age);
  return result;
}

static int age_process(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  struct age *age = instance;
  ERR_set_mark();
  int result = age->direction == BO_ENCODE ? encode(age, in, out, mode, error) : decode(age, in, out, mode, error);
  ERR_pop_to_mark();
  return result;
}

/* Beside the stated: what OpenSSL holds for a key and a cipher, generously. */
static uint64_t age_memory_bytes(int direction, const struct bo_config *config) {
  enum { OPENSSL_MEMORY = 256 * 1024, FOR_A_BYTE_OF_KEY_TEXT = 16 };
  uint64_t bytes = sizeof(struct age) + AGE_STREAM_MEMORY + AGE_HEADER_MAX + OPENSSL_MEMORY, keys = 0;
  for (uint32_t i = 0; direction == BO_ENCODE && i < config->repeated_count; i++)
    keys += strlen(config->repeated[i].value);
  for (uint32_t i = 0; direction == BO_DECODE && i < config->secret_count; i++) {
    keys += config->secrets[i].size;
    if (strcmp(config->secrets[i].name, params[PARAM_PASSPHRASE].key) == 0)
      bytes += UINT64_C(1024) << config->values[PARAM_WORK_FACTOR_MAX].integer;
  }
  return bytes + keys * FOR_A_BYTE_OF_KEY_TEXT;
}

static const struct bo_transform_operations operations = {
    .header = BO_HEADER(struct bo_transform_operations),
    .open = age_open,
    .process = age_process,
    .close = age_close,
    .memory_bytes = age_memory_bytes,
};

static const struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_CRYPT,
    .name = "age",
    .version = BO_VERSION,
    .license = "Apache-2.0",
    .origin = "backup-operator",
    .description = "Encryption with age (age-encryption.org/v1) to X25519 and SSH public keys",
    .param_count = PARAM_COUNT,
    .param_size = sizeof(struct bo_param),
    .params = params,
    .operations = &operations,
};

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  return bo_host_check(host, error) == BO_OK ? &plugin : NULL;
}
