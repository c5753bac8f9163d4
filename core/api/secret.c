/* Secret (core/v1): named bytes. Problems with it name the entry, and nothing of what is in it. */
#include "core/api/fields.h"

struct secret_text {
  struct bo_object_meta meta;
  struct bo_string_map data;
  struct bo_string_map string_data;
};

static const struct bo_field secret_list[] = {
    BO_CONSTANT("apiVersion", "v1"),
    BO_CONSTANT("kind", "Secret"),
    BO_STRUCT("metadata", struct secret_text, meta, bo_object_meta_fields, .flags = BO_FIELD_REQUIRED),
    BO_STRING_MAP("data", struct secret_text, data),
    BO_STRING_MAP("stringData", struct secret_text, string_data),
    BO_IGNORED("type"),
    BO_IGNORED("immutable"),
};
static const struct bo_fields secret_fields = BO_FIELDS(struct secret_text, secret_list, NULL);

/* A character of base64 (RFC 4648, section 4) as its six bits, -1 for any other. */
static int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes padded base64 with line breaks anywhere. `out` has room for three quarters of the text. */
static bool decode_base64(const char *text, unsigned char *out, size_t *size) {
  uint32_t bits = 0;
  unsigned digits = 0;
  unsigned padding = 0;
  *size = 0;
  for (; *text != '\0'; text++) {
    if (*text == '\r' || *text == '\n') continue;
    int value = base64_value(*text);
    if (*text == '=') {
      padding++;
    } else if (value < 0 || padding > 0) {
      return false;
    } else {
      bits = bits << 6 | (uint32_t)value;
      if (digits % 4 != 0) out[(*size)++] = (unsigned char)(bits >> (6 - 2 * (digits % 4)));
      digits++;
    }
  }
  /* What is left over must fill whole bytes, up to the padding that says so. */
  return digits % 4 != 1 && (digits + padding) % 4 == 0 && padding < 3;
}

static struct bo_secret *place_for(struct bo_secret_object *secret, const char *name) {
  for (size_t i = 0; i < secret->count; i++)
    if (strcmp(secret->entries[i].name, name) == 0) return &secret->entries[i];
  struct bo_secret *entry = &secret->entries[secret->count++];
  entry->name = name;
  return entry;
}

static void add_data(struct bo_decoder *decoder, const struct bo_node *node, const struct bo_pair *pair,
                     struct bo_secret_object *secret) {
  unsigned char *bytes = bo_arena_alloc(&decoder->set->arena, strlen(pair->value) / 4 * 3 + 4);
  size_t size = 0;
  if (bytes == NULL) return;
  if (!decode_base64(pair->value, bytes, &size)) {
    bo_decoder_problem(decoder, bo_node_get(bo_node_get(node, "data"), pair->name), BO_SEVERITY_ERROR, ".data",
                       "the entry %s is not base64: plain text belongs into stringData",
                       bo_decoder_quote(decoder, pair->name));
    return;
  }
  struct bo_secret *entry = place_for(secret, pair->name);
  entry->bytes = bytes;
  entry->size = size;
}

void bo_decode_secret(struct bo_decoder *decoder, const struct bo_node *node, struct bo_secret_object *secret) {
  struct secret_text text;
  memset(&text, 0, sizeof(text));
  bo_decode(decoder, &secret_fields, node, &text);
  secret->meta = text.meta;
  secret->entries =
      bo_arena_alloc(&decoder->set->arena, (text.data.count + text.string_data.count + 1) * sizeof(*secret->entries));
  if (secret->entries == NULL) return;
  for (size_t i = 0; i < text.data.count; i++)
    add_data(decoder, node, &text.data.items[i], secret);
  for (size_t i = 0; i < text.string_data.count; i++) {
    const struct bo_pair *pair = &text.string_data.items[i];
    struct bo_secret *entry = place_for(secret, pair->name);
    entry->bytes = (const unsigned char *)pair->value;
    entry->size = strlen(pair->value);
  }
}

const struct bo_secret *bo_secret_object_get(const struct bo_secret_object *secret, const char *key) {
  for (size_t i = 0; i < secret->count; i++)
    if (strcmp(secret->entries[i].name, key) == 0) return &secret->entries[i];
  return NULL;
}
