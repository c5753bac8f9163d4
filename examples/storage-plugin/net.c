/*
 * net.c - TCP, and the only place in which the plugin waits.
 *
 * Sockets do not block. Whoever has nothing to do calls sftp_wait, which returns when the socket is ready, when
 * somebody cancelled (the eventfd, or the host's own flag), or when the deadline has passed. The one call of the C
 * library that can block for long, the look-up of a name, runs in a thread of its own, which is joined in close.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sftp.h"

#define NS_PER_MS UINT64_C(1000000)
#define LOOK_EVERY_MS 100 /* at the host's flag, which cannot be polled */

/* ---- waiting ---- */

static uint64_t now_ns(const struct sftp_storage *storage) {
  return storage->host->monotonic_ns(storage->host->context);
}

void sftp_arm(struct sftp_storage *storage) {
  storage->deadline_ns = now_ns(storage) + storage->settings.timeout_ns;
}

static int too_late(const struct sftp_storage *storage, struct bo_error *error) {
  (void)bo_error_set(error, BO_CLASS_TIMEOUT, ETIMEDOUT, "%.200s did not answer for %llu s (parameter `timeout`)",
                     storage->settings.host, (unsigned long long)(storage->settings.timeout_ns / 1000000000));
  return BO_RETRY;
}

/* As sftp_wait; *ready false: nothing came until `until_ns`, which may be before the deadline. */
static int wait_until(struct sftp_storage *storage, int fd, short events, uint64_t until_ns, bool *ready,
                      struct bo_error *error) {
  for (*ready = false;;) {
    if (sftp_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
    uint64_t now = now_ns(storage);
    if (now >= until_ns) return BO_OK;
    uint64_t left_ms = (until_ns - now) / NS_PER_MS + 1;
    struct pollfd fds[2] = {{.fd = fd, .events = events},
                            {.fd = storage->tidying ? -1 : storage->wake, .events = POLLIN}};
    int count = poll(fds, 2, left_ms < LOOK_EVERY_MS ? (int)left_ms : LOOK_EVERY_MS);
    if (count < 0 && errno != EINTR)
      return bo_error_set(error, BO_CLASS_IO, errno, "waiting for a socket: %s", strerror(errno));
    if (count > 0 && fds[0].revents != 0) {
      *ready = true;
      return BO_OK;
    }
  }
}

int sftp_wait(struct sftp_storage *storage, int fd, short events, struct bo_error *error) {
  bool ready = false;
  int result = wait_until(storage, fd, events, storage->deadline_ns, &ready, error);
  if (result != BO_OK) return result;
  return ready ? BO_OK : too_late(storage, error);
}

/* ---- the host's addresses ---- */

struct sftp_lookup {
  pthread_t thread;
  const char *host;
  const char *port;
  struct addrinfo *addresses;
  int status; /* of getaddrinfo */
  int done;   /* an eventfd, written when the thread has its answer */
};

static int look_up(struct sftp_lookup *lookup, int flags) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
  return getaddrinfo(lookup->host, lookup->port, &hints, &lookup->addresses);
}

static void *look_up_thread(void *context) {
  struct sftp_lookup *lookup = context;
  lookup->status = look_up(lookup, AI_ADDRCONFIG);
  (void)eventfd_write(lookup->done, 1);
  return NULL;
}

static int start_thread(struct sftp_lookup *lookup) {
  sigset_t all;
  sigset_t before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* a thread of a plugin takes no signals */
  int code = pthread_create(&lookup->thread, NULL, look_up_thread, lookup);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return code;
}

/* Makes storage->lookup: answered, or with its thread running. */
static int start_lookup(struct sftp_storage *storage, struct bo_error *error) {
  struct sftp_lookup *lookup = sftp_alloc(storage, sizeof(*lookup));
  if (lookup == NULL) return sftp_no_memory(error);
  *lookup = (struct sftp_lookup){.host = storage->settings.host, .port = storage->settings.port, .done = -1};
  if (look_up(lookup, AI_NUMERICHOST) != 0) { /* it is no address but a name */
    lookup->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = lookup->done < 0 ? errno : start_thread(lookup);
    if (code != 0) {
      if (lookup->done >= 0) (void)close(lookup->done);
      sftp_free(storage, lookup);
      return bo_error_set(error, BO_CLASS_IO, code, "no thread to look up a name in: %s", strerror(code));
    }
  }
  storage->lookup = lookup;
  return BO_OK;
}

/* Its end, if it has not come yet, comes when the system's resolver gives up. */
static void join_thread(struct sftp_lookup *lookup) {
  if (lookup->done < 0) return;
  (void)pthread_join(lookup->thread, NULL);
  (void)close(lookup->done);
  lookup->done = -1;
}

void sftp_net_close(struct sftp_storage *storage) {
  struct sftp_lookup *lookup = storage->lookup;
  if (lookup == NULL) return;
  join_thread(lookup);
  if (lookup->addresses != NULL) freeaddrinfo(lookup->addresses);
  sftp_free(storage, lookup);
  storage->lookup = NULL;
}

/* Waits for the answer. One that came too late the last time is used now. */
static int resolve(struct sftp_storage *storage, struct bo_error *error) {
  int result = storage->lookup == NULL ? start_lookup(storage, error) : BO_OK;
  if (result == BO_OK && storage->lookup->done >= 0) result = sftp_wait(storage, storage->lookup->done, POLLIN, error);
  if (result != BO_OK) return sftp_prefix(result, error, "looking up %.200s", storage->settings.host);
  join_thread(storage->lookup);
  int status = storage->lookup->status;
  if (storage->lookup->addresses != NULL) return BO_OK;
  sftp_net_close(storage);
  (void)bo_error_set(error, BO_CLASS_NETWORK, 0, "looking up %.200s: %s: is `host` right?", storage->settings.host,
                     gai_strerror(status));
  return status == EAI_NONAME ? BO_ERROR : BO_RETRY;
}

/* ---- connecting ---- */

static int refused(struct sftp_storage *storage, int code, struct bo_error *error) {
  (void)bo_error_set(error, BO_CLASS_NETWORK, code, "connecting to %.200s port %s: %s", storage->settings.host,
                     storage->settings.port, strerror(code));
  return BO_RETRY;
}

static int connect_to(struct sftp_storage *storage, const struct addrinfo *address, uint64_t until_ns, int *out,
                      struct bo_error *error) {
  int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return refused(storage, errno, error);
  int result = BO_OK;
  int code = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
  if (code == EINPROGRESS || code == EINTR) {
    bool ready = false;
    socklen_t size = sizeof(code);
    result = wait_until(storage, fd, POLLOUT, until_ns, &ready, error);
    if (!ready)
      code = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0)
      code = errno;
  }
  if (result == BO_OK && code != 0) result = refused(storage, code, error);
  if (result != BO_OK) {
    (void)close(fd);
    return result;
  }
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  *out = fd;
  return BO_OK;
}

int sftp_net_connect(struct sftp_storage *storage, int *fd, struct bo_error *error) {
  int result = resolve(storage, error);
  if (result != BO_OK) return result;
  uint64_t left = 0;
  for (const struct addrinfo *address = storage->lookup->addresses; address != NULL; address = address->ai_next)
    left++;
  result = BO_RETRY;
  /* Each address gets its share of the time, so that one that swallows packets does not keep the next from a try. */
  for (const struct addrinfo *address = storage->lookup->addresses; address != NULL; address = address->ai_next) {
    uint64_t now = now_ns(storage);
    uint64_t share_ns = now < storage->deadline_ns ? (storage->deadline_ns - now) / left : 0;
    left--;
    result = connect_to(storage, address, now + share_ns, fd, error);
    if (result == BO_OK || error->error_class == BO_CLASS_CANCELLED) break;
  }
  sftp_net_close(storage); /* the next connection asks again: an address may change */
  return result;
}
