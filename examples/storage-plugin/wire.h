/*
 * wire.h - packets of the SFTP protocol, version 3 (draft-ietf-secsh-filexfer-02), put together and taken apart.
 *
 * Neither side can run over its buffer: a writer or reader that would, notes it (`failed`) and does nothing more, so
 * that one look at the end is enough.
 */
#ifndef SFTP_WIRE_H
#define SFTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_type { /* section 3 */
                 WIRE_INIT = 1,
                 WIRE_VERSION = 2,
                 WIRE_OPEN = 3,
                 WIRE_CLOSE = 4,
                 WIRE_READ = 5,
                 WIRE_WRITE = 6,
                 WIRE_LSTAT = 7,
                 WIRE_FSTAT = 8,
                 WIRE_FSETSTAT = 10,
                 WIRE_OPENDIR = 11,
                 WIRE_READDIR = 12,
                 WIRE_REMOVE = 13,
                 WIRE_MKDIR = 14,
                 WIRE_RMDIR = 15,
                 WIRE_STAT = 17,
                 WIRE_RENAME = 18,
                 WIRE_STATUS = 101,
                 WIRE_HANDLE = 102,
                 WIRE_DATA = 103,
                 WIRE_NAME = 104,
                 WIRE_ATTRS = 105,
                 WIRE_EXTENDED = 200,
                 WIRE_EXTENDED_REPLY = 201
};

enum wire_status { /* section 7 */
                   WIRE_OK = 0,
                   WIRE_EOF = 1,
                   WIRE_NO_SUCH_FILE = 2,
                   WIRE_PERMISSION_DENIED = 3,
                   WIRE_FAILURE = 4,
                   WIRE_BAD_MESSAGE = 5,
                   WIRE_NO_CONNECTION = 6,
                   WIRE_CONNECTION_LOST =
                       7, /* never sent: what this client notes for a request whose answer cannot come any more */
                   WIRE_UNSUPPORTED = 8
};

#define WIRE_OPEN_READ 0x01u /* section 6.3 */
#define WIRE_OPEN_WRITE 0x02u
#define WIRE_OPEN_CREATE 0x08u
#define WIRE_OPEN_EXCLUSIVE 0x20u

#define WIRE_VERSION_3 3u

/* ---- requests: two paths and what goes with them always fit ---- */

#define WIRE_PATH_MAX 2048 /* the storage's own path, a slash, and a key */
#define WIRE_REQUEST_MAX (2 * WIRE_PATH_MAX + 512)

struct wire_out {
  unsigned char bytes[WIRE_REQUEST_MAX];
  size_t size;
  bool failed;
};

void wire_begin(struct wire_out *out, uint8_t type, uint32_t id);
void wire_u32(struct wire_out *out, uint32_t number);
void wire_u64(struct wire_out *out, uint64_t number);
void wire_bytes(struct wire_out *out, const void *bytes, size_t size);
void wire_text(struct wire_out *out, const char *text);
/* Writes the length in front. `following_bytes` are sent right behind the request and belong to it. */
void wire_end(struct wire_out *out, size_t following_bytes);

/* ---- replies ---- */

struct wire_in {
  const unsigned char *bytes;
  size_t size;
  size_t position;
  bool failed;
};

/* What version 3 tells about a file, as far as this plugin wants to know. */
struct wire_attributes {
  uint64_t size_bytes;
  uint32_t mode; /* with the file's type, as in struct stat */
  uint32_t modified_unix_s;
};

uint8_t wire_take_u8(struct wire_in *in);
uint32_t wire_take_u32(struct wire_in *in);
uint64_t wire_take_u64(struct wire_in *in);
/* Points into the packet. */
const unsigned char *wire_take_bytes(struct wire_in *in, uint32_t *size);
void wire_take_attributes(struct wire_in *in, struct wire_attributes *attributes);

#endif
