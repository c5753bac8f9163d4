/* ASCII armor: whatever the input, decoding ends, writes only where it may, and finds the same bytes in pieces of one
 * byte as at once. */
#include <stdlib.h>

#include "plugins/crypt-age/armor.h"

#define LINE_BYTES 48

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int decode(const uint8_t *data, size_t size, size_t step, unsigned char *bytes, size_t capacity,
                  size_t *bytes_size) {
  struct age_armor armor = {0};
  struct bo_error error = BO_ERROR_INIT;
  int result = BO_NEED_INPUT;
  *bytes_size = 0;
  for (size_t sent = 0; result == BO_NEED_INPUT;) {
    struct bo_input in = {data + sent, size - sent < step ? size - sent : step, 0};
    sent += in.size;
    do {
      if (capacity - *bytes_size < LINE_BYTES) abort(); /* base64 cannot grow */
      struct bo_output out = {bytes + *bytes_size, step == 1 ? LINE_BYTES : capacity - *bytes_size, 0};
      result = age_armor_decode(&armor, &in, &out, sent == size ? BO_END : BO_CONTINUE, &error);
      *bytes_size += out.position;
    } while (result == BO_AGAIN);
  }
  return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t capacity = size + 2 * LINE_BYTES, first_size, second_size;
  unsigned char *first = malloc(capacity), *second = malloc(capacity);
  if (first == NULL || second == NULL) abort();
  int one = decode(data, size, 1, first, capacity, &first_size);
  int other = decode(data, size, size + 1, second, capacity, &second_size);
  if (one != other || first_size != second_size || memcmp(first, second, first_size) != 0) abort();
  free(first);
  free(second);
  return 0;
}
