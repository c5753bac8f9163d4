/* client.h - what client.c and handle.c, the two halves of the SFTP client, share. */
#ifndef SFTP_CLIENT_H
#define SFTP_CLIENT_H

#include "sftp.h"

struct sftp_reply {
  uint8_t type;
  uint32_t id;
  struct wire_in body; /* behind type and id; valid until the next packet */
};

/* A request with a new id. */
struct wire_out sftp_begin(struct sftp_storage *storage, uint8_t type);
/* Sends it, with `size` bytes that belong to it and are not copied. */
int sftp_send(struct sftp_storage *storage, struct wire_out *request, const void *bytes, size_t size,
              struct bo_error *error);
/* Sends it and awaits the reply, connecting first if need be. BO_OK whatever the reply says. */
int sftp_exchange(struct sftp_storage *storage, struct wire_out *request, struct sftp_reply *reply,
                  struct bo_error *error);
/* An exchange whose reply must be of `type`; a status other than OK is an error. */
int sftp_ask(struct sftp_storage *storage, struct wire_out *request, uint8_t type, struct wire_in *body,
             struct bo_error *error);
int sftp_ask_attributes(struct sftp_storage *storage, struct wire_out *request, struct wire_attributes *attributes,
                        struct bo_error *error);
/* Sends it and lets it be pending. On failure the connection is gone. */
int sftp_send_pending(struct sftp_storage *storage, struct wire_out *request, const void *bytes, uint32_t size,
                      struct sftp_pending *pending, struct bo_error *error);
int sftp_protocol_broken(struct sftp_storage *storage, const char *how, struct bo_error *error);

#endif
