/* message.c - messages with descriptors over a SOCK_SEQPACKET socket: unix(7), cmsg(3). */
#include "message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(BO_LOCAL_FD_MAX * sizeof(int))];
};

int bo_local_send(int socket, const struct bo_local_message *message, const int *descriptors, size_t count, int flags) {
  union control control;
  memset(&control, 0, sizeof(control));
  struct iovec iov = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
  struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
  if (count > 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(rights), descriptors, count * sizeof(int));
  }
  while (sendmsg(socket, &header, flags | MSG_NOSIGNAL) < 0)
    if (errno != EINTR) return errno;
  return 0;
}

int bo_local_receive(int socket, struct bo_local_message *message, int *descriptors, int flags) {
  union control control;
  struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
  struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
  if (descriptors != NULL) {
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof(control.bytes);
    for (int i = 0; i < BO_LOCAL_FD_MAX; i++)
      descriptors[i] = -1;
  }
  ssize_t got;
  /* ECONNRESET comes once when the other side went with messages of ours unread; what it had sent is still there. */
  do
    got = recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
  while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0) return -errno;
  if (got == 0) return 0;
  struct cmsghdr *rights = descriptors != NULL ? CMSG_FIRSTHDR(&header) : NULL;
  if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS)
    memcpy(descriptors, CMSG_DATA(rights), rights->cmsg_len - CMSG_LEN(0));
  if ((size_t)got != sizeof(*message)) return -EPROTO;
  message->text[sizeof(message->text) - 1] = '\0';
  return 1;
}
