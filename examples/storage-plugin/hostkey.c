/*
 * hostkey.c - is this the server that the user means? Asked before anything is sent that only that server may see.
 *
 * There is no trust on first use: a plugin in a cluster has no place to remember a key, and nobody to ask. The key, or
 * its fingerprint, is configuration.
 */
#include "sftp.h"

#define SHA256_BYTES 32
#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1)
#define FINGERPRINT "SHA256:"

/* RFC 4648, section 4. */
static void base64(const unsigned char *bytes, size_t size, char *text) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (; size > 0; bytes += 3, size -= size < 3 ? size : 3) {
    uint32_t bits = (uint32_t)bytes[0] << 16;
    if (size > 1) bits |= (uint32_t)bytes[1] << 8;
    if (size > 2) bits |= bytes[2];
    *text++ = digits[bits >> 18];
    *text++ = digits[bits >> 12 & 63];
    *text++ = size > 1 ? digits[bits >> 6 & 63] : '=';
    *text++ = size > 2 ? digits[bits & 63] : '=';
  }
  *text = '\0';
}

/* Whether `word` is one of those in `text`, which are separated by white space. */
static bool has_word(const char *text, const char *word) {
  static const char space[] = " \t\r\n";
  for (text += strspn(text, space); *text != '\0'; text += strspn(text, space)) {
    size_t length = strcspn(text, space);
    if (length == strlen(word) && memcmp(text, word, length) == 0) return true;
    text += length;
  }
  return false;
}

/* The kinds of key that libssh2 knows, best first. It speaks RSA with SHA-1 only before 1.11, which servers refuse. */
static const char *const kinds[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
                                    "ssh-rsa"};

/* A server has keys of several kinds: it shall show one of those that are configured. */
int sftp_hostkey_prefer(struct sftp_storage *storage, struct bo_error *error) {
  char wanted[128] = "";
  size_t used = 0;
  if (strstr(storage->settings.host_keys, FINGERPRINT) != NULL) return BO_OK; /* whose kind is not known */
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    if (has_word(storage->settings.host_keys, kinds[i]))
      used += (size_t)snprintf(wanted + used, sizeof(wanted) - used, "%s%s", used == 0 ? "" : ",", kinds[i]);
  if (used == 0)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the parameter `hostKey` holds no key that can be used: give a line of known_hosts or of "
                        "ssh-keyscan (such as \"ssh-ed25519 AAAA...\"), or a fingerprint (SHA256:...)");
  int code = libssh2_session_method_pref(storage->session, LIBSSH2_METHOD_HOSTKEY, wanted);
  return code == 0 ? BO_OK : sftp_session_failed(storage, code, "choosing the kind of host key", error);
}

int sftp_hostkey_check(struct sftp_storage *storage, struct bo_error *error) {
  size_t size = 0;
  int type = 0;
  const char *key = libssh2_session_hostkey(storage->session, &size, &type);
  const char *hash = libssh2_hostkey_hash(storage->session, LIBSSH2_HOSTKEY_HASH_SHA256);
  if (key == NULL || hash == NULL)
    return bo_error_set(error, BO_CLASS_PROTOCOL, 0, "%.200s showed no host key", storage->settings.host);
  char fingerprint[sizeof(FINGERPRINT) + BASE64_SIZE(SHA256_BYTES)] = FINGERPRINT;
  base64((const unsigned char *)hash, SHA256_BYTES, fingerprint + strlen(FINGERPRINT));
  fingerprint[strcspn(fingerprint, "=")] = '\0'; /* as ssh-keygen writes it */
  if (has_word(storage->settings.host_keys, fingerprint)) return BO_OK;
  char *text = sftp_alloc(storage, BASE64_SIZE(size));
  if (text == NULL) return sftp_no_memory(error);
  base64((const unsigned char *)key, size, text);
  bool known = has_word(storage->settings.host_keys, text);
  sftp_free(storage, text);
  if (known) return BO_OK;
  return bo_error_set(error, BO_CLASS_AUTH, 0,
                      "%.200s shows another host key than `hostKey` says, %s: if the server has got a new key, or has "
                      "several, ask its administrator for the fingerprint and correct the parameter; if not, somebody "
                      "is in between",
                      storage->settings.host, fingerprint);
}
