/* The texts of keys, SSH's above all, as recipients and as identities: refused or taken, and an error never quotes an
 * identity. */
#include <stdlib.h>

#include "plugins/crypt-age/keys.h"
#include "tests/support/fake_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No word of the input may stand in the error. */
static void check_error(const struct bo_error *error, const char *text, size_t size) {
  enum { RUN = 20 }; /* longer than any word of ours but the names of formats and options, which have dashes */
  for (size_t at = 0; at + RUN <= size; at++) {
    char run[RUN + 1];
    memcpy(run, text + at, RUN);
    run[RUN] = '\0';
    if (strlen(run) == RUN && strstr(error->text, run) != NULL && strpbrk(run, " -") == NULL) abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct fake_host fake;
  struct bo_error error = BO_ERROR_INIT;
  struct age_keys keys;
  const struct bo_host *host = fake_host_open(&fake);
  char *text = malloc(size + 1); /* of its very size, so that the address sanitizer sees a step too far */
  if (text == NULL) abort();
  memcpy(text, data, size);
  text[size] = '\0';
  age_keys_init(&keys, host);
  (void)age_keys_add_recipients(&keys, text, 1, &error);
  age_keys_free(&keys);
  error.text[0] = '\0';
  if (age_keys_add_identities(&keys, text, size, 1, &error) == BO_OK && keys.count == 0) abort();
  check_error(&error, text, size);
  age_keys_free(&keys);
  free(text);
  if (atomic_load(&fake.live) != 0) abort();
  return 0;
}
